// The page that speaks as Mule Uploader does, by keyboard, on a line that breaks, in a page that
// has no Web Crypto, as one that came by http: from another machine.
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { ask, content, dir, open, play, shot } from "./stage.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

await play(async (_, context) => {
  await context.addInitScript(() => Object.defineProperty(crypto, "subtle", { value: undefined }));
  const page = await open(context, "/mule/"); // leads to /mule
  assert.equal(new URL(page.url()).pathname, "/mule");
  const taken = new Map();
  page.on("response", (r) => {
    const number = new URL(r.url()).searchParams.get("partNumber");
    const [key] = new URL(r.url()).pathname.split("/").slice(-1);
    if (number && r.status() === 200) taken.set(`${key} ${number}`, (taken.get(`${key} ${number}`) ?? 0) + 1);
  });
  // Chunks of a file go no further than this until somebody lets them.
  let most = 4, go = () => {}, gate = new Promise((ok) => (go = ok));
  const until = (number) => {
    most = number;
    go();
    gate = new Promise((ok) => (go = ok));
  };
  await page.route(/partNumber=/, async (route) => {
    while (new URL(route.request().url()).searchParams.get("partNumber") > most) await gate;
    await route.continue().catch(() => undefined); // it may have been given up meanwhile
  });
  const reaches = (from) => page.waitForFunction((n) => document.querySelector("#list progress").value >= n, from);
  const row = (name) => page.locator("#list li", { hasText: name });
  const says = (name, text) => row(name).locator(".state", { hasText: text }).waitFor();
  const choose = (...names) => page.setInputFiles("#files", names.map((n) => `${dir}/${n}`));
  const check = async (state) => {
    for (const [colorScheme, width] of [["light", 1280], ["dark", 390]]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
      assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html)}`), [], `${state}, ${colorScheme}`);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${state}: wider than ${width} pixels`);
    }
    await shot(page, `mule-${state}`);
  };
  await check("empty");

  // Three files, one after another, by the keyboard.
  await choose("big.bin", "exact.bin", "nothing.txt");
  await reaches(0.5);
  await says("exact.bin", "Waits for its turn");
  await check("sending");
  await page.getByRole("button", { name: "Pause: big.bin" }).focus();
  await page.keyboard.press("Enter");
  await says("big.bin", /^Paused at [1-9]/);
  await says("exact.bin", /%|put/); // it is the next one's turn
  await page.keyboard.press("Enter"); // the same button
  await says("exact.bin", /^Done/);
  until(6);
  await reaches(0.75);
  await ask("kill");
  until(8);
  await row("big.bin").locator(".trouble", { hasText: "It goes on by itself." }).waitFor();
  await check("trouble");
  await ask("start");
  for (const name of ["big.bin", "exact.bin", "nothing.txt"]) await says(name, /^Done/);
  assert.deepEqual([...taken.values()].filter((n) => n > 1), [], "chunks were sent again that had been taken");
  assert.equal(taken.size, 8 + 2);
  await check("done");
  assert.equal(await (await page.request.get(await row("exact.bin").getByRole("link").getAttribute("href"))).body().then((b) => b.length), 2 * 6291456);

  // Another day: it is there. It can be sent anew.
  await page.reload();
  await choose("exact.bin");
  await says("exact.bin", /^Was there already/);
  taken.clear();
  await page.getByRole("button", { name: "Send anew: exact.bin" }).click();
  await says("exact.bin", /^Done/);
  assert.equal(taken.size, 2);

  // What the original never shows: why.
  await choose("large.bin");
  await row("large.bin").locator(".trouble", { hasText: "Choose a smaller one." }).waitFor();
  assert.match(await page.locator("#said").textContent(), /large.bin did not arrive\. ./);
  await check("failed");

  // Who is asked for a token is led to the field, and Enter goes on.
  await page.route(/signing_key/, (route) => route.request().url().includes("upload_token=secret") ? route.continue()
    : route.fulfill({ status: 401, contentType: "application/problem+json", body: JSON.stringify({ detail: "A token is needed." }) }));
  await choose("last.bin");
  await row("last.bin").locator(".trouble", { hasText: "A token is needed. Give a token" }).waitFor();
  await page.waitForFunction(() => document.activeElement?.id === "token");
  await check("token");
  await page.keyboard.type("secret");
  await page.keyboard.press("Enter");
  await says("last.bin", /^Done/);
  rmSync(`${dir}/large.bin`);
  copyFileSync(`${dir}/exact.bin`, `${dir}/anew.bin`); // it was sent twice
  content(page);
});

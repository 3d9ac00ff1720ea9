// <upload-box> in a form: the ids are its value, and the form waits for them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { ask, content, dir, open, play, shot, url } from "./stage.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

await play(async (_, context) => {
  const page = await open(context, "/box.html");
  const box = page.locator("upload-box");
  const valid = () => page.locator("form").evaluate((f) => f.checkValidity());
  assert.equal(await valid(), false); // it is required
  await box.getByRole("button", { name: "Choose files" }).waitFor();
  await box.locator("input").setInputFiles([`${dir}/one.bin`, `${dir}/two.bin`]);
  await box.getByRole("button", { name: "Pause one.bin" }).click();
  await box.getByText(/^Paused at/).waitFor();
  assert.equal(await valid(), false); // one is under way
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.failureSummary).join("\n  ")}`), [], colorScheme);
  }
  await ask("let", "all");
  await box.getByRole("button", { name: "Resume one.bin" }).click();
  await box.getByText(/^Done/).nth(1).waitFor();
  assert.equal(await valid(), true);
  const ids = await page.locator("form").evaluate((f) => new FormData(f).getAll("file"));
  assert.equal(ids.length, 2);
  for (const id of ids) assert.equal((await page.request.get(`${url}/files/${id}`)).status(), 200);

  // Who goes back to the form finds it filled in again by the browser, with the files.
  await page.goto(url);
  await page.goBack();
  await page.waitForFunction(() => new FormData(document.querySelector("form")).getAll("file").length === 2);
  assert.deepEqual(await page.locator("form").evaluate((f) => new FormData(f).getAll("file")), ids);
  assert.equal(await valid(), true);
  await shot(page, "box-again");
  await box.getByText("2 files are there already.").waitFor();
  await box.getByRole("button", { name: "Remove them" }).click();
  assert.equal(await valid(), false);
  await box.locator("input").setInputFiles([`${dir}/one.bin`, `${dir}/two.bin`]);
  await box.getByText(/^(Done|Was here already)/).nth(1).waitFor();

  await box.getByRole("button", { name: "Remove one.bin" }).click();
  await box.locator("li", { hasText: "one.bin" }).waitFor({ state: "detached" });
  assert.equal((await page.locator("form").evaluate((f) => new FormData(f).getAll("file"))).length, 1);
  await page.locator("form").evaluate((f) => f.reset());
  await box.locator("li", { hasText: "two.bin" }).waitFor({ state: "detached" });
  assert.equal(await valid(), false);

  // The limits of the element are told, and nothing is sent.
  await box.evaluate((b) => b.setAttribute("disabled", ""));
  assert.equal(await box.getByRole("button", { name: "Choose files" }).isDisabled(), true);
  content(page);
});

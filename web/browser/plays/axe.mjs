// axe-core finds nothing, in any state, by day on a desk and by night on a phone.
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { ask, choose, content, deaf, dir, done, heading, play, reaches, shot } from "./stage.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

await play(async (page) => {
  await deaf(page);
  const check = async (state) => {
    for (const [colorScheme, width] of [["light", 1280], ["dark", 390]]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 800 });
      await page.evaluate(axe);
      const { violations, passes } = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
      const found = violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.html} ${n.failureSummary}`).join("\n  ")}`);
      assert.deepEqual(found, [], `${state}, ${colorScheme}, ${width} pixels`);
      assert.ok(passes.length > 10);
      const small = await page.evaluate(() =>
        [...document.querySelectorAll("button, fieldset label, dialog input")].flatMap((e) => {
          const { width, height } = e.getBoundingClientRect();
          return e.checkVisibility() && (width < 44 || height < 44) ? [`${e.outerHTML.slice(0, 80)} ${width}x${height}`] : [];
        }));
      assert.deepEqual(small, [], `${state}, ${width} pixels: too small for a finger`);
    }
    await shot(page, state);
  };
  await check("empty");
  await choose(page, `${dir}/large.bin`); // larger than the server takes
  await page.locator("#notice").waitFor();
  await check("refused");
  await page.locator("#notice-away").click();
  await choose(page, `${dir}/one.bin`, `${dir}/two.bin`);
  await reaches(page, 35);
  await check("running");
  await page.locator("#all-pause").click();
  await heading(page, /^Paused/);
  await check("paused");
  await page.getByRole("button", { name: "Cancel all" }).click();
  await check("asked");
  await page.getByRole("button", { name: "Keep" }).click();
  await ask("kill");
  await page.locator("#all-pause").click();
  await page.locator("#list .state", { hasText: /^Tries again/ }).first().waitFor();
  await check("waiting");
  await ask("start");
  await ask("let", "all");
  await done(page);
  await check("done");
  await ask("let", "1000");
  await choose(page, `${dir}/gone.bin`);
  await page.getByText("gone.bin").first().waitFor();
  rmSync(`${dir}/gone.bin`);
  await ask("let", "all");
  await heading(page, "1 did not");
  await page.locator("#list .bad .state", { hasText: "The file cannot be read any more." }).waitFor();
  await check("failed");
  content(page);
});

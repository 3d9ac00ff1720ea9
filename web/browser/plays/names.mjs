// Names of all kinds leave the page as it is, and the server's last word is
// waited for: nothing says 100 % before it.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { ask, content, dir, done, drop, heading, play, shot, state } from "./stage.mjs";

await play(async (page) => {
  const all = () => page.evaluate(() => [document.title, document.body.innerText, ...[...document.querySelectorAll("[role=progressbar]")]
    .flatMap((e) => [e.ariaValueNow, e.ariaValueText])].join("\n"));
  await drop(page, `${dir}/last.bin`);
  await heading(page, "Verifying 1 file");
  await state(page, "last.bin", /^All is sent, the server checks it/);
  await shot(page, "verifying");
  assert.doesNotMatch(await all(), /\b100\b/);
  await ask("let", "all");
  await done(page);
  await page.getByRole("button", { name: "Clear the list" }).click();
  await page.locator("#sum").waitFor({ state: "hidden" });

  const names = readdirSync(dir).filter((n) => n !== "last.bin");
  await drop(page, ...names.map((n) => `${dir}/${n}`));
  await heading(page, `All ${names.length} files are there`);
  await shot(page, "names");
  for (const width of [1280, 390, 320]) {
    await page.setViewportSize({ width, height: 1200 });
    // Nothing is wider than the page, and each name stays in its row.
    const wide = await page.evaluate(() => {
      const out = [document.documentElement.scrollWidth - innerWidth];
      for (const e of document.querySelectorAll("#list .what, #list .name")) {
        const [inner, outer] = [e.getBoundingClientRect(), e.closest("li").getBoundingClientRect()];
        out.push(outer.left - inner.left, inner.right - outer.right);
      }
      return Math.max(...out);
    });
    assert.ok(wide <= 0, `${wide} pixels too wide at ${width}`);
  }
  for (const name of names) {
    const link = page.getByRole("link", { name, exact: true });
    assert.equal(await link.textContent(), name);
    // Its direction is its own: a name in Arabic or Hebrew turns nothing around it.
    const rtl = /^[\u0590-\u08ff]/.test(name);
    assert.equal(await link.evaluate((e) => getComputedStyle(e).direction), rtl ? "rtl" : "ltr", name);
  }
  assert.equal(await page.evaluate(() => window.evil), undefined);
  content(page);
});

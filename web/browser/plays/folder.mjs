// 3,000 files in folders: the page stays smooth, and only rows in sight exist.
import assert from "node:assert/strict";
import { content, dir, drop, done, play } from "./stage.mjs";

await play(async (page) => {
  await page.evaluate(() => {
    window.seen = { writes: [], long: 0, rows: 0 };
    new MutationObserver(() => {
      window.seen.writes.push(performance.now());
      window.seen.rows = Math.max(window.seen.rows, document.querySelectorAll("#list li").length);
    }).observe(document.getElementById("sum"), { subtree: true, childList: true, attributes: true, characterData: true });
    new PerformanceObserver((l) => {
      for (const e of l.getEntries()) window.seen.long = Math.max(window.seen.long, e.duration);
    }).observe({ type: "longtask" });
  });
  await drop(page, `${dir}/tree`);
  await page.locator("#sum").waitFor();
  for (let i = 0; i < 10; i++) await page.mouse.wheel(0, 4000);
  await done(page, 120_000);
  await page.mouse.wheel(0, -1e6);
  assert.match(await page.locator("#sum-title").textContent(), /All 3,000 files/);

  const seen = await page.evaluate(() => window.seen);
  assert.ok(seen.rows > 0 && seen.rows < 40, `${seen.rows} rows at once`);
  let most = 0;
  for (const [i, at] of seen.writes.entries()) {
    let n = 1;
    while (seen.writes[i + n] < at + 1000) n++;
    most = Math.max(most, n);
  }
  assert.ok(most <= 12, `${most} repaints in a second`);
  console.error(`rows at once ${seen.rows}, repaints a second ${most}, longest task ${Math.round(seen.long)} ms`);

  // The filter narrows the list, by keyboard too.
  await page.getByRole("radio", { name: /^All/ }).focus();
  await page.keyboard.press("ArrowRight");
  await page.getByText("None.").waitFor();
  content(page);
});

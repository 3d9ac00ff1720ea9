// 5,000 files in folders: the page stays smooth, and only rows in sight exist.
import assert from "node:assert/strict";
import { content, dir, done, drop, play, shot } from "./stage.mjs";

await play(async (page) => {
  await page.evaluate(() => {
    window.seen = { sum: [], list: [], long: 0, rows: 0 };
    const watch = (id, times) =>
      new MutationObserver(() => {
        times.push(performance.now());
        window.seen.rows = Math.max(window.seen.rows, document.querySelectorAll("#list li").length);
      }).observe(document.getElementById(id), { subtree: true, childList: true, attributes: true, characterData: true });
    watch("sum", window.seen.sum);
    watch("list", window.seen.list);
    new PerformanceObserver((l) => {
      for (const e of l.getEntries()) window.seen.long = Math.max(window.seen.long, e.duration);
    }).observe({ type: "longtask" });
  });
  await drop(page, `${dir}/tree`);
  await page.locator("#sum").waitFor();
  await page.locator("#sum-facts", { hasText: /\b[1-9][\d,]* of 5,000 files/ }).waitFor();
  await shot(page, "many");
  await done(page);
  const seen = await page.evaluate(() => window.seen);
  assert.match(await page.locator("#sum-title").textContent(), /All 5,000 files/);

  // Only what is in sight exists, is painted at most ten times a second, and
  // nothing keeps the page from answering; on a slow machine that takes longer.
  assert.ok(seen.rows > 0 && seen.rows < 40, `${seen.rows} rows at once`);
  const most = (times) => Math.max(...times.map((at, i) => times.findLastIndex((x) => x < at + 1000) - i + 1));
  const [sum, list] = [most(seen.sum), most(seen.list)];
  console.error(`rows at once ${seen.rows}, repaints a second ${sum} and of the list ${list}, longest task ${Math.round(seen.long)} ms`);
  assert.ok(sum <= 12 && list <= 12, `${sum} and ${list} repaints in a second`);
  assert.ok(seen.long < 1000, `a task of ${seen.long} ms`);

  // The measure works: a task that is long is seen.
  await page.evaluate(() => setTimeout(() => { for (const end = performance.now() + 300; performance.now() < end; ); }));
  await page.waitForFunction(() => window.seen.long >= 250);

  // Scrolling shows other rows, not more of them.
  for (let i = 0; i < 10; i++) await page.mouse.wheel(0, 4000);
  await page.waitForFunction(() => scrollY > 10_000);
  assert.ok((await page.locator("#list li").count()) < 40);
  await page.mouse.wheel(0, -1e6);

  // The filter narrows the list, by keyboard too.
  await page.getByRole("radio", { name: /^All/ }).focus();
  await page.keyboard.press("ArrowRight");
  await page.getByText("None.").waitFor();
  content(page);
});

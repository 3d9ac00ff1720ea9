// What the browser has at home: the clipboard, pictures, the screen's light, a
// clock that jumps, and no space to remember anything.
import assert from "node:assert/strict";
import { ask, choose, content, deaf, dir, done, heading, play, reaches, state, url } from "./stage.mjs";

await play(async (page, context) => {
  await deaf(page);
  const cdp = await context.newCDPSession(page);
  await cdp.send("Storage.overrideQuotaForOrigin", { origin: new URL(url).origin, quotaSize: 1 });
  await page.evaluate(() => {
    window.lights = [];
    const request = WakeLock.prototype.request;
    WakeLock.prototype.request = async function (...args) {
      const lock = await request.apply(this, args);
      window.lights.push(lock);
      return lock;
    };
  });
  // The screen stays on while something is sent.
  await choose(page, `${dir}/clock.bin`);
  await reaches(page, 16);
  await page.waitForFunction(() => window.lights.length === 1 && !window.lights[0].released);

  // The clock is set while it waits: it waits no longer, and the speed stays sane.
  await ask("still");
  await ask("answer", "429 20");
  await ask("let", "41000000");
  await state(page, "clock.bin", /^Tries again in (20|1\d) sec/);
  for (const hours of [-1, 24]) {
    await page.evaluate((ms) => {
      const real = Date.now;
      Date.now = () => real() + ms;
    }, hours * 3600_000);
    await page.waitForTimeout(1200); // two paints
    assert.match(await page.locator("#list .state").first().textContent(), /^Tries again in (20|1?\d) sec/);
  }
  await ask("answered");
  await page.getByRole("button", { name: "Try now" }).click();
  await reaches(page, 48);
  assert.doesNotMatch(await page.locator("#sum-facts").textContent(), /-\d|NaN|day|hr/);
  await ask("let", "all");
  await done(page);
  await page.waitForFunction(() => window.lights.every((l) => l.released));

  // A picture from the clipboard is sent, and shown small.
  const pasted = await page.evaluate(async () => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 200;
    const c = canvas.getContext("2d");
    c.fillStyle = "#e0621a";
    c.fillRect(0, 0, 200, 200);
    const blob = await new Promise((ok) => canvas.toBlob(ok));
    const data = new DataTransfer();
    data.items.add(new File([blob], "image.png", { type: "image/png" }));
    data.items.add(new File(["just text"], "note.txt", { type: "text/plain" }));
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    return [...new Uint8Array(await blob.arrayBuffer())];
  });
  await heading(page, "All 3 files are there");
  const row = page.locator("#list li", { hasText: /pasted .*\.png/ });
  const colour = await row.locator("canvas").evaluate((c) => [...c.getContext("2d").getImageData(48, 48, 1, 1).data]);
  assert.deepEqual(colour, [0xe0, 0x62, 0x1a, 255]);
  const got = await page.request.get(await row.getByRole("link").getAttribute("href"));
  assert.deepEqual([...(await got.body())], pasted);
  content(page);
});

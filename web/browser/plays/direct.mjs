// 500 MB straight into a bucket, with a reload in the middle of pieces; then the
// element.
import assert from "node:assert/strict";
import { ask, content, deaf, dir, done, drop, open, play, reaches, share, shot } from "./stage.mjs";

await play(async (page, context) => {
  await deaf(page);
  await ask("stop", "210000000");
  await drop(page, `${dir}/long.bin`);
  await ask("stopped");
  await reaches(page, 38);
  await shot(page, "direct");
  const before = await share(page);
  await page.evaluate(() => (window.before = true));
  await page.evaluate(() => setTimeout(() => location.reload())); // page.reload() would wait for what it cannot hear
  await page.waitForFunction(() => !window.before && document.documentElement.classList.contains("ready"));
  await ask("lose");
  await reaches(page, before); // without any click
  await done(page);
  content(page);

  const form = await open(context, `/box.html?bucket=${await ask("origin")}`);
  await form.locator("input[type=file]").setInputFiles(`${dir}/box.bin`);
  await form.waitForFunction(() => document.querySelector("upload-box").value.length === 1);
  assert.equal(await form.evaluate(() => document.querySelector("upload-box").uploader.files[0].state), "done");
  content(form);
});

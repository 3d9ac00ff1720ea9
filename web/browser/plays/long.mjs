// 300 MB through a pause, a reload, no network, a killed server, a crashed
// tab and a closed one. The line stands still before each of them, with requests
// in flight, so that each break hits the middle.
import assert from "node:assert/strict";
import { ask, content, dir, done, drop, heading, open, play, reaches, share } from "./stage.mjs";

let stop = 40e6;
const more = () => ask("let", String((stop += 40e6)));

await play(async (page, context) => {
  await drop(page, `${dir}/long.bin`);

  await reaches(page, 12);
  await ask("still");
  await page.getByRole("button", { name: "Pause long.bin" }).click();
  await page.locator("#list .state", { hasText: /^Paused at/ }).waitFor();
  await ask("let", "all");
  await ask("quiet"); // nothing is sent although it could be
  await more();
  await page.getByRole("button", { name: "Resume long.bin" }).click();

  await reaches(page, 25);
  let before = await share(page);
  await ask("still");
  await page.reload();
  await more();
  await reaches(page, before); // without any click
  assert.equal(await page.locator("#again").isVisible(), false);

  await reaches(page, 38);
  await ask("still");
  await context.setOffline(true);
  await page.locator("#offline").waitFor();
  await more();
  await heading(page, /^Waiting/);
  await context.setOffline(false);
  await page.locator("#offline").waitFor({ state: "hidden" });

  await more();
  await reaches(page, 50);
  await ask("still");
  await ask("kill");
  await page.locator("#list .state", { hasText: /^Tries again in \d+ sec/ }).waitFor();
  await ask("start");
  await more();

  await reaches(page, 60);
  before = await share(page);
  await ask("still");
  const crashed = new Promise((ok) => page.once("crash", ok));
  content(page);
  page.goto("chrome://crash").catch(() => undefined);
  await crashed;

  // The tab is opened anew: the browser still lets the page read the file.
  let anew = await open(context);
  await more();
  await reaches(anew, before);
  await page.close();

  // Another day: the browser asks whether the page may read the file. Nobody is
  // here to answer, so no is put into its mouth, and the page asks for the file.
  await reaches(anew, 75);
  before = await share(anew);
  await ask("still");
  content(anew);
  await anew.close();
  anew = await open(context);
  await anew.locator("#again", { hasText: "was interrupted: long.bin" }).waitFor();
  await anew.evaluate(() => {
    FileSystemHandle.prototype.requestPermission = async () => "denied";
  });
  const chooser = anew.waitForEvent("filechooser");
  await anew.getByRole("button", { name: "Continue" }).click();
  await anew.getByRole("button", { name: "Choose the same file" }).click();
  await (await chooser).setFiles(`${dir}/long.bin`);
  await more();
  await reaches(anew, before);
  await ask("let", "all");
  await done(anew);
  content(anew);
});

// By keyboard alone, and as a screen reader hears it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { ask, content, dir, done, play, reaches } from "./stage.mjs";

await play(async (page) => {
  const focused = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent.trim());
  const tabTo = async (name) => {
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press("Tab");
      if ((await focused()) === name) return;
    }
    assert.fail(`the Tab key does not get to ${name}`);
  };
  await page.evaluate(() => {
    delete window.showOpenFilePicker; // its dialog cannot be driven; the input is the way of other browsers
    window.heard = [];
    new MutationObserver(() => window.heard.push(document.getElementById("live").textContent)).observe(
      document.getElementById("live"), { childList: true, characterData: true, subtree: true });
  });
  const chooser = page.waitForEvent("filechooser");
  await tabTo("Choose files");
  await page.keyboard.press("Enter");
  await (await chooser).setFiles([`${dir}/one.bin`, `${dir}/two.bin`]);

  await reaches(page, 5);
  await tabTo("Pause one.bin");
  await page.keyboard.press("Space");
  assert.equal(await focused(), "Resume one.bin"); // the focus is where it was
  const heard = await page.locator("main").ariaSnapshot();
  await page.keyboard.press("Enter");
  assert.equal(await focused(), "Pause one.bin");
  // What differs from run to run is left out: how much, how fast, how long.
  const still = heard.replace(/[\d.,]+(%| (MB|kB|bytes?|sec|min)\b)/g, "N$1").replace(/( · N (MB|kB|byte)\/s)?( · N (sec|min) left)?$/gm, "");
  assert.equal(still.replace(/N (kB|bytes?)/g, "N MB"), readFileSync("testdata/heard.txt", "utf8").trim());

  // Cancel, and think better of it: what has arrived is not thrown away unasked.
  await ask("let", "all");
  await done(page);
  await tabTo("Copy link one.bin");
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => window.heard.some((s) => s.includes("The link is copied.")));
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^http.*\/files\//);
  await tabTo("Take out of the list one.bin");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Copy link one.bin" }).waitFor({ state: "detached" });
  assert.equal(await focused(), "Take out of the list two.bin");
  await page.keyboard.press("Enter");
  assert.equal(await focused(), "Choose files");
  await page.locator("#sum").waitFor({ state: "hidden" });

  const said = await page.evaluate(() => window.heard);
  console.error(said);
  assert.ok(said.some((s) => s.includes("2 files are being sent")));
  assert.ok(said.some((s) => s.includes("All 2 files are done")));
  assert.ok(said.length <= 12, `${said.length} announcements`);
  content(page);
});

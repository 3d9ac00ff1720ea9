// Begun in one browser, finished in another one, which has never seen the page: all that
// they have in common is the token and the file. Then once more, with two days between.
import assert from "node:assert/strict";
import { anew, ask, choose, content, deaf, dir, done, leave, reaches, share } from "./stage.mjs";

const token = await ask("token");

/** starts chooses a file as a person does who is here for the first time. */
async function starts(page, name) {
  await deaf(page);
  assert.equal(await page.locator("#list li").count(), 0);
  assert.equal(await page.locator("#again").isVisible(), false); // nothing is remembered
  await choose(page, `${dir}/${name}`);
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  await dialog.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Go on" }).click();
}

/** begins sends the first part of a file, and the browser dies in the middle of a piece. */
const begins = (name, until) =>
  anew(async (page, kill) => {
    await ask("let", until);
    await starts(page, name);
    await reaches(page, 40);
    await ask("still");
    content(page);
    await kill();
    await ask("died");
  });

/** finishes sends the rest. */
const finishes = (name) =>
  anew(async (page) => {
    await ask("let", "all");
    await starts(page, name);
    await done(page);
    assert.equal(await share(page), 100);
    content(page);
  });

try {
  await begins("one.bin", "30000000");
  await ask("found", "one.bin");
  await finishes("one.bin");
  await ask("finished", "one.bin");

  await begins("two.bin", "90000000");
  await ask("found", "two.bin");
  await ask("stop");
  await ask("age", "48h");
  await ask("start");
  await ask("found", "two.bin");
  await finishes("two.bin");
  await ask("finished", "two.bin");
} finally {
  leave();
}

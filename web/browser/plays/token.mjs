// A proxy wants a token: the page asks the person, and goes on without losing
// anything; so it does when the token runs out in the middle.
import assert from "node:assert/strict";
import { ask, choose, content, deaf, dir, done, play, reaches, shot, state } from "./stage.mjs";

await play(async (page) => {
  await deaf(page);
  const dialog = page.getByRole("dialog");
  const field = dialog.getByLabel("Token");
  await ask("answer", "401 right");
  await choose(page, `${dir}/secret.bin`);
  await dialog.waitFor();
  await shot(page, "token");
  assert.equal(await field.evaluate((e) => e === document.activeElement), true); // typing can begin
  await field.fill("wrong");
  await field.press("Enter");
  await dialog.getByText("not valid").waitFor(); // it asks again, and says why
  await field.fill("right");
  await page.getByRole("button", { name: "Go on" }).click();

  await reaches(page, 22);
  await ask("still");
  await ask("answer", "401 second");
  await ask("let", "46000000");
  await dialog.waitFor();
  await page.keyboard.press("Escape"); // not now
  await state(page, "secret.bin", "You have to sign in again. What was sent is safe.");
  await page.getByRole("button", { name: "Try again secret.bin" }).click();
  await dialog.waitFor();
  await field.fill("second");
  await field.press("Enter");
  await ask("let", "all");
  await done(page);
  content(page);
});

// Files on disk vanish and change in the middle. What was sent is kept, and
// what was changed never becomes a mixture.
import { readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { ask, content, deaf, dir, done, drop, heading, play, reaches, shot, state } from "./stage.mjs";

await play(async (page) => {
  await deaf(page);
  const [gone, other] = [`${dir}/gone.bin`, `${dir}/changed.bin`];
  utimesSync(gone, 1.7e9, 1.7e9); // whole seconds, which can be set again
  await drop(page, gone);
  await reaches(page, 24);
  await ask("still");
  const bytes = readFileSync(gone);
  rmSync(gone);
  await ask("let", "all");
  await state(page, "gone.bin", "The file cannot be read any more. Choose it again. What was sent is safe.");
  await shot(page, "vanished");
  writeFileSync(gone, bytes);
  utimesSync(gone, 1.7e9, 1.7e9);
  await drop(page, gone); // it goes on where it was
  await done(page);

  await page.getByRole("button", { name: "Clear the list" }).click();
  await ask("let", "75000000");
  await drop(page, other);
  await reaches(page, 24);
  await ask("still");
  const fresh = readFileSync(other).reverse();
  writeFileSync(other, fresh);
  await ask("let", "all");
  await state(page, "changed.bin", /^The file cannot be read any more\./);
  await drop(page, other); // it is another file now, and is sent from its begin
  await heading(page, "1 file arrived, 1 did not");
  content(page);
});

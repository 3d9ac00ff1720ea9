// The picture of the page in README.md.
import { ask, content, dir, done, drop, play, reaches } from "./stage.mjs";

await play(async (page) => {
  await drop(page, `${dir}/holiday`);
  await page.locator("#list canvas").nth(2).waitFor();
  await done(page);
  await ask("let", "150000000");
  await drop(page, `${dir}/Mountain hike, raw footage.mov`, `${dir}/Annual report with all annexes.pdf`, `${dir}/backup.tar.zst`);
  await page.getByRole("button", { name: "Pause backup.tar.zst" }).click();
  await reaches(page, 27);
  await page.mouse.move(5, 5);
  await page.screenshot({ path: `${process.env.PLAY_SHOTS}/page.png` });
  await ask("let", "all");
  content(page);
});

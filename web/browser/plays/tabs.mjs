// The same file in two tabs: one sends it, the other says so, and both end.
import { ask, choose, content, deaf, dir, done, open, play, reaches } from "./stage.mjs";

await play(async (page, context) => {
  await deaf(page);
  await choose(page, `${dir}/twice.bin`);
  await reaches(page, 10);
  const other = await open(context);
  await choose(other, `${dir}/twice.bin`);
  await other.locator("#list .state", { hasText: "Another tab sends this file." }).waitFor();
  await ask("let", "all");
  await Promise.all([done(page), done(other)]);
  content(page);
  content(other);
});

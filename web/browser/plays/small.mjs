// Files of 0 and 1 byte, and a name from all over the world; they can be read back.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { content, dir, done, drag, play, shot } from "./stage.mjs";

await play(async (page) => {
  const names = readdirSync(dir);
  const files = names.map((n) => `${dir}/${n}`);
  // Who drags files over the page sees that it would take them.
  const over = page.getByText("Drop to send");
  await drag(page, files, "dragEnter", "dragOver");
  await over.waitFor();
  await shot(page, "over");
  await drag(page, files, "dragOver", "drop");
  await over.waitFor({ state: "hidden" });
  await done(page);
  for (const name of names) {
    const link = page.getByRole("link", { name });
    const href = await link.getAttribute("href");
    const got = await page.request.get(href);
    assert.equal(got.status(), 200);
    assert.deepEqual(await got.body(), readFileSync(`${dir}/${name}`));
  }
  assert.match(await page.title(), /^✓ Done/);
  content(page);
});

// The bucket lets no page of ours send to it: nobody notices, but the console.
import assert from "node:assert/strict";
import { choose, dir, done, play } from "./stage.mjs";

await play(async (page) => {
  const warnings = [];
  page.on("console", (m) => m.type() === "warning" && warnings.push(m.text()));
  await choose(page, `${dir}/long.bin`);
  await done(page);
  assert.equal(warnings.length, 1, warnings.join("\n"));
  assert.match(warnings[0], /through the server: the bucket at .* cannot be reached/);
  assert.doesNotMatch(warnings[0], /X-Amz/);
  // What the browser itself says of it.
  assert.ok(page.complaints.length > 0 && page.complaints.every((c) => c.includes("CORS policy")), page.complaints.join("\n"));
});

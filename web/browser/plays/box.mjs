// <upload-box> in a form: the ids are its value, and the form waits for them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { ask, content, dir, open, play, url } from "./stage.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

await play(async (_, context) => {
  const page = await open(context, "/box.html");
  const box = page.locator("upload-box");
  const valid = () => page.locator("form").evaluate((f) => f.checkValidity());
  assert.equal(await valid(), false); // it is required
  await box.getByRole("button", { name: "Choose files" }).waitFor();
  await box.locator("input").setInputFiles([`${dir}/one.bin`, `${dir}/two.bin`]);
  await box.getByRole("button", { name: "Pause one.bin" }).click();
  await box.getByText(/^Paused at/).waitFor();
  assert.equal(await valid(), false); // one is under way
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.failureSummary).join("\n  ")}`), [], colorScheme);
  }
  await ask("let", "all");
  await box.getByRole("button", { name: "Resume one.bin" }).click();
  await box.getByText(/^Done/).nth(1).waitFor();
  assert.equal(await valid(), true);
  const ids = await page.locator("form").evaluate((f) => new FormData(f).getAll("file"));
  assert.equal(ids.length, 2);
  for (const id of ids) assert.equal((await page.request.get(`${url}/files/${id}`)).status(), 200);

  await box.getByRole("button", { name: "Remove one.bin" }).click();
  await box.locator("li", { hasText: "one.bin" }).waitFor({ state: "detached" });
  assert.equal((await page.locator("form").evaluate((f) => new FormData(f).getAll("file"))).length, 1);
  await page.locator("form").evaluate((f) => f.reset());
  await box.locator("li", { hasText: "two.bin" }).waitFor({ state: "detached" });
  assert.equal(await valid(), false);

  // The limits of the element are told, and nothing is sent.
  await box.evaluate((b) => b.setAttribute("disabled", ""));
  assert.equal(await box.getByRole("button", { name: "Choose files" }).isDisabled(), true);
  content(page);
});

// The page at /resumable and an old page, in a real Chromium. The arguments are
// the server's address and the folder with the files; a word on standard output
// asks the Go test for something.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

// The browser's driver is pinned where the page's tests are.
const { chromium } = createRequire(new URL("../browser/package.json", import.meta.url))("playwright-core");
const [, , server, dir, shots] = process.argv;
const patience = 60_000;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const ask = async (word) => {
  console.log(word);
  return (await lines.next()).value;
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  timeout: patience,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
context.setDefaultTimeout(patience);

async function open(path = "/resumable", html) {
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (e) => page.complaints.push(String(e)));
  // The client's question is answered with 404 where nothing is.
  page.on("console", (m) => m.type() === "error" && !/Failed to load resource/.test(m.text()) && page.complaints.push(m.text()));
  page.on("response", (r) => r.status() >= 400 && r.request().method() !== "PUT" && page.complaints.push(`${r.status()} ${r.url()}`));
  if (html) await page.route("**" + path, (route) => route.fulfill({ contentType: "text/html", body: html }));
  await page.goto(server + path);
  return page;
}
async function drop(page, ...files) {
  const cdp = await page.context().newCDPSession(page);
  const at = await page.locator(".resumable-drop").boundingBox();
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    if (type === "drop") {
      const over = await page.locator(".resumable-drop").getAttribute("class");
      assert.match(over, /dragover/, "nothing shows that files can be dropped here");
    }
    await cdp.send("Input.dispatchDragEvent", { type, x: at.x + 30, y: at.y + 30, data: { items: [], files, dragOperationsMask: 1 } });
  }
  assert.doesNotMatch(await page.locator(".resumable-drop").getAttribute("class"), /dragover/);
}
const item = (page, name) => page.locator(".uploader-list > div", { hasText: name });
const share = (page) => page.evaluate(() => uploader.resumable.progress());
const reaches = (page, much) => page.waitForFunction((p) => uploader.resumable.progress() >= p, much, { polling: 10 });
/** The width of an image that is shown, and its middle colour. */
const seen = (locator) => locator.evaluate(async (img) => {
  await img.decode();
  const c = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  c.drawImage(img, 0, 0, 1, 1);
  return { width: img.naturalWidth, colour: [...c.getImageData(0, 0, 1, 1).data].slice(0, 3), shown: img.clientWidth };
});
async function shot(page, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  for (const [where, size] of Object.entries({ desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } })) {
    await page.setViewportSize(size);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(300); // for what moves
      await page.screenshot({ path: `${shots}/${name}-${where}-${colorScheme}.png`, fullPage: true });
    }
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}
const nearly = (colour, want) => colour.every((c, i) => Math.abs(c - want[i]) < 60) || assert.fail(`the colour is ${colour}`);

try {
  // Drop, pictures, progress.
  let page = await open();
  await shot(page, "empty");
  assert.equal(await page.locator(".progress").isVisible(), false, "the progress of nothing is shown");
  await drop(page, `${dir}/photo.png`, `${dir}/film.mp4`);
  await item(page, "photo.png").waitFor();
  await item(page, "film.mp4").waitFor();
  await reaches(page, 0.1);
  assert.match(await page.locator(".progress-text").textContent(), /^\d+ %$/);
  assert.match(await page.title(), /^\(\d+ %\) /);

  // The film's picture is there as soon as its ends are.
  await page.waitForFunction(() => {
    const img = [...document.querySelectorAll(".uploader-list > div")].find((d) => d.textContent.includes("film"))?.querySelector(".uploader-item-thumbnail");
    return img?.complete && img.naturalWidth === 200;
  });
  const film = await seen(item(page, "film.mp4").locator(".uploader-item-thumbnail"));
  nearly(film.colour, [200, 30, 30]);
  assert.ok((await share(page)) < 1, "all is there already");

  // Pause and resume by the links.
  const pause = page.locator(".progress-pause-link");
  const resume = page.locator(".progress-resume-link");
  assert.equal(await resume.isVisible(), false);
  await pause.click();
  await page.locator(".progress.is-paused").waitFor();
  await ask("quiet");
  const before = await ask("carried");
  await shot(page, "paused");
  await page.waitForTimeout(500); // in which nothing may be sent
  assert.equal(await ask("carried"), before);
  assert.equal(await pause.isVisible(), false);

  // A person says something of a file in the meantime.
  await item(page, "film.mp4").click();
  const edit = page.locator(".file-edit-container > div", { hasText: "film.mp4" });
  await edit.locator("[name=title]").fill("Ein <b>Film</b> & mehr");
  await edit.locator("[name=description]").fill("two\nlines");
  await edit.locator("[name=tags]").fill("a, b");
  await edit.locator("[name=album_id]").selectOption("1");
  await edit.locator("[name=published_p]").check();
  await edit.getByRole("button", { name: "Save" }).click();
  await page.locator(".file-edit-container > .is-saved").waitFor();
  assert.equal(await item(page, "Ein <b>Film</b> & mehr").locator(".uploader-item-title").innerText(), "Ein <b>Film</b> & mehr");
  const saved = page.locator(".file-edit-container > .is-saved .file-edit-form-saved");
  for (const text of ["Ein <b>Film</b> & mehr", "two\nlines", "a, b", "Holiday", "Yes"]) {
    assert.ok((await saved.innerText()).includes(text), text);
  }
  await shot(page, "saved");
  await saved.getByRole("button", { name: "Edit" }).click();
  assert.equal(await page.locator(".file-edit-container > div:visible [name=title]").inputValue(), "Ein <b>Film</b> & mehr");

  // A reload in the middle: only what is missing is sent.
  await resume.click();
  await reaches(page, 0.5);
  await page.reload();
  await ask("quiet");
  const there = Number(await ask("carried"));
  await drop(page, `${dir}/photo.png`, `${dir}/film.mp4`);
  await ask("fast");
  await page.waitForFunction(() => uploader.resumable.files.length === 2 && uploader.resumable.progress() === 1);
  await page.locator(".progress.is-completed").waitFor();
  const sizes = await page.evaluate(() => uploader.resumable.getSize());
  const carried = Number(await ask("carried"));
  assert.ok(carried - sizes < 8 * (6 << 20) && there > sizes / 4, `${carried} bytes were sent of ${sizes}, ${there} before the reload`);
  nearly((await seen(item(page, "film.mp4").locator(".uploader-item-thumbnail"))).colour, [200, 30, 30]);

  // The photo's picture is there once the photo is, and the link goes to it.
  await page.waitForFunction(() => {
    const img = [...document.querySelectorAll(".uploader-list > div")].find((d) => d.textContent.includes("photo"))?.querySelector(".uploader-item-thumbnail");
    return img?.complete && img.naturalWidth === 320;
  });
  const photo = await seen(item(page, "photo.png").locator(".uploader-item-thumbnail"));
  nearly(photo.colour, [30, 120, 200]);
  assert.ok(photo.shown > 40);
  await item(page, "photo.png").click();
  const link = page.getByRole("link", { name: "Open the file" });
  await link.waitFor();
  const [opened] = await Promise.all([context.waitForEvent("page"), link.click()]);
  await opened.waitForLoadState();
  assert.match(opened.url(), /\/files\/[\w-]+$/);
  const got = await page.request.get(opened.url());
  assert.deepEqual(await got.body(), readFileSync(`${dir}/photo.png`));
  await opened.close();
  await page.bringToFront();
  await shot(page, "done");
  assert.ok(/done\.png$/.test(await item(page, "photo.png").locator(".uploader-item-status").getAttribute("src")));

  // By keyboard; the same file can be chosen again after it was removed.
  await page.getByRole("button", { name: "Remove from the list" }).filter({ visible: true }).click();
  await item(page, "photo.png").waitFor({ state: "detached" });
  for (let round = 0; round < 2; round++) {
    // A page that was just brought to the front may not have the keyboard yet.
    let chooser;
    for (const began = Date.now(); !chooser && Date.now() - began < patience; ) {
      await page.bringToFront();
      const opens = page.waitForEvent("filechooser", { timeout: patience / 10 }).catch(() => undefined);
      await page.locator(".resumable-browse").focus();
      await page.keyboard.press("Enter");
      chooser = await opens;
    }
    assert.ok(chooser, "no file chooser opens by keyboard");
    assert.equal(chooser.isMultiple(), true);
    await chooser.setFiles(`${dir}/photo.png`);
    await item(page, "photo.png").waitFor();
    await item(page, "photo.png").click();
    await page.getByRole("button", { name: "Remove from the list" }).filter({ visible: true }).click();
    await item(page, "photo.png").waitFor({ state: "detached" });
  }

  // A folder that is dropped keeps its paths.
  await drop(page, `${dir}/folder`);
  await page.waitForFunction(() => uploader.resumable.files.some((f) => f.relativePath === "folder/inner/b.txt"));
  await page.waitForFunction(() => uploader.resumable.progress() === 1);

  // Folders, types and one file only, by inputs.
  const inputs = await page.evaluate(() => {
    const made = [];
    for (const [options, directory] of [[{ maxFiles: 1, fileType: ["png", "image/*"], clearInput: false }, false], [{}, true]]) {
      const node = document.createElement("span");
      document.body.append(node);
      const r = new Resumable({ target: "/resumable_upload", ...options });
      r.assignBrowse(node, directory);
      const i = node.querySelector("input");
      i.id = `input${made.length}`;
      made.push([i.multiple, i.accept, i.webkitdirectory]);
      globalThis[`r${made.length - 1}`] = r;
    }
    return made;
  });
  assert.deepEqual(inputs, [[false, ".png,image/*", false], [true, "", true]]);
  await page.locator("#input0").setInputFiles(`${dir}/photo.png`);
  await page.waitForFunction(() => r0.files.length === 1);
  assert.match(await page.locator("#input0").inputValue(), /photo\.png$/); // clearInput is false
  await page.locator("#input1").setInputFiles(`${dir}/folder`);
  await page.waitForFunction(() => r1.files.length === 2);
  assert.deepEqual((await page.evaluate(() => r1.files.map((f) => f.relativePath))).sort(), ["folder/a.txt", "folder/inner/b.txt"]);
  assert.equal(await page.locator("#input1").inputValue(), "");
  // What no longer listens takes nothing.
  await page.evaluate(() => {
    const at = document.querySelector(".resumable-drop");
    uploader.resumable.unAssignDrop(at);
    at.dispatchEvent(new DragEvent("dragenter", { bubbles: true }));
  });
  assert.doesNotMatch(await page.locator(".resumable-drop").getAttribute("class"), /dragover/);
  assert.deepEqual(page.complaints, []);

  // A browser that lacks something is led to the form.
  const old = await browser.newContext();
  await old.addInitScript(() => delete globalThis.AbortController);
  const lacking = await old.newPage();
  await lacking.goto(server + "/resumable");
  await lacking.waitForURL(server + "/");
  const bare = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await bare.goto(server + "/resumable");
  await bare.getByLabel("Choose files").setInputFiles(`${dir}/folder/a.txt`);
  await bare.getByRole("button", { name: "Upload" }).click();
  await bare.getByText("a.txt").waitFor();

  // An old page, with jQuery and its own handlers, works unchanged.
  await ask("slow");
  page = await open("/old", readFileSync(new URL("old.html", import.meta.url), "utf8"));
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.locator(".resumable-browse").click()]);
  await chooser.setFiles(`${dir}/film.mp4`);
  await reaches(page, 0.05);
  await page.locator(".progress-pause-link").click();
  await page.locator(".progress.is-paused").waitFor();
  assert.equal(await page.evaluate(() => uploader.resumable.isUploading()), false);
  await ask("fast");
  await page.locator(".progress-resume-link").click();
  await page.locator(".progress.is-completed").waitFor();
  nearly((await seen(page.locator(".uploader-item-thumbnail"))).colour, [200, 30, 30]);
  assert.deepEqual(await page.evaluate(() => window.told), { added: ["film.mp4"], success: ["film.mp4"] });
  assert.deepEqual(page.complaints, []);
} catch (e) {
  for (const page of context.pages()) {
    console.error(page.url(), page.complaints, await page.evaluate(() => document.body?.innerText).catch(String));
  }
  throw e;
} finally {
  await browser.close();
  process.exitCode ||= 0;
  process.stdin.destroy();
}

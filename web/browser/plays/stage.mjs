// What every play needs: a browser, the page, and the Go test on the other end
// of standard input and output, which has the server in its hands.
import assert from "node:assert/strict";
import { readlink } from "node:fs/promises";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** ask has the Go test do something, and returns what it answers. */
export async function ask(verb, argument = "") {
  process.stdout.write(`ask ${verb} ${argument}\n`);
  const { value, done } = await lines.next();
  if (done) throw new Error("the Go test has gone");
  const [how, ...rest] = value.split(" ");
  if (how !== "ok") throw new Error(`${verb}: ${rest.join(" ")}`);
  return rest.join(" ");
}

export const url = process.env.PLAY_URL;
export const dir = process.env.PLAY_DIR;

/** patience is for what would never happen, in milliseconds: the machine may have much to do. */
const patience = 120_000;

const launch = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  timeout: patience,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
  ],
};
const viewport = { width: 1280, height: 800 };

/** play runs the play in a browser of its own. */
export async function play(act, options = {}) {
  const browser = await chromium.launch(launch);
  try {
    await acted(act, await browser.newContext({ viewport, ...options }));
  } finally {
    await browser.close();
    leave();
  }
}

/** acted runs a part of a play on the page; if it fails, it tells what was there. */
async function acted(act, context) {
  context.setDefaultTimeout(patience);
  context.setDefaultNavigationTimeout(patience);
  try {
    await act(await open(context), context);
  } catch (e) {
    for (const page of context.pages()) {
      const late = new Promise((ok) => setTimeout(ok, 10_000, "it does not answer"));
      console.error(`-- the page shows\n${String(await Promise.race([page.evaluate(words), late]).catch(String)).slice(0, 1500)}`);
      console.error(`-- the client believes\n${await Promise.race([beliefs(page), late]).catch(String)}\n--`);
    }
    throw e;
  }
}

/** leave lets the play end: nothing more is asked. */
export function leave() {
  lines.return?.();
  process.stdin.destroy();
}

let profiles = 0;

/**
 * anew runs a part of a play in a browser whose profile nobody has used before. If the part
 * calls the function that it is given last, the browser is killed, which saves nothing.
 */
export async function anew(act) {
  const home = `${process.env.PLAY_HOME}/profile-${++profiles}`;
  const context = await chromium.launchPersistentContext(home, { ...launch, viewport });
  let killed = false;
  const kill = async () => {
    killed = true;
    const gone = new Promise((ok) => context.once("close", ok));
    // Chromium's lock on its profile is a link to HOST-PID.
    process.kill(Number((await readlink(`${home}/SingletonLock`)).replace(/.*-/, "")), "SIGKILL");
    await gone;
  };
  try {
    await acted((page) => act(page, kill), context);
  } finally {
    if (!killed) await context.close();
  }
}

/**
 * beliefs are what the clients of a page think, down to their private fields.
 * The names of those are short, as they were built; their order is that of the source.
 */
async function beliefs(page) {
  const cdp = await page.context().newCDPSession(page);
  const all = await cdp.send("Runtime.evaluate", { expression: "Object.prototype" });
  const { objects } = await cdp.send("Runtime.queryObjects", { prototypeObjectId: all.result.objectId });
  const { result } = await cdp.send("Runtime.callFunctionOn", {
    objectId: objects.objectId,
    returnByValue: true,
    functionDeclaration: `function () {
      const plain = (x, depth) => {
        if (typeof x === "function") return undefined;
        if (typeof x === "bigint" || typeof x === "symbol") return String(x);
        if (x === null || typeof x !== "object") return x;
        if (x instanceof Error) return x.code + " " + x.message;
        if (x instanceof Blob) return x.name + " " + x.size;
        if (x instanceof Map || x instanceof Set) return x.size > 12 || depth < 1 ? x.size + " entries" : [...x].map((y) => plain(y, depth - 1));
        if (Array.isArray(x)) return x.slice(0, 12).map((y) => plain(y, depth - 1));
        if (depth < 1) return "…";
        return Object.fromEntries(Object.entries(x).map(([k, y]) => [k, plain(y, depth - 1)]));
      };
      const clients = this.filter((o) => {
        try { return Array.isArray(o.files) && typeof o.stats === "function"; } catch { return false; }
      });
      return clients.map((c) => [performance.now(), c.stats(), plain(c, 1), ...c.files.slice(0, 8).map((i) => plain(i, 2))]
        .map((x) => JSON.stringify(x)).join("\\n")).join("\\n");
    }`,
  });
  return result.value;
}

// What can be read on a page, also within elements of its own.
function words() {
  const boxes = [...document.querySelectorAll("upload-box")].map((b) => b.shadowRoot.querySelector("div").innerText);
  return [document.body.innerText, ...boxes].join("\n");
}

/** open shows the page in a new tab; what the browser complains about fails the play. */
export async function open(context, path = "/") {
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (e) => page.complaints.push(`${e}`));
  page.on("console", (m) => {
    // A lost line is part of the plays, a broken policy or script is not.
    if (m.type() === "error" && !/Failed to load resource|net::ERR/.test(m.text())) page.complaints.push(m.text());
  });
  page.on("dialog", (d) => d.accept().catch(() => undefined));
  await page.goto(url + path);
  if (path === "/") await page.locator("html.ready").waitFor();
  return page;
}

/**
 * deaf keeps the driver from having each body told to it that is sent, encoded, at 200 ms for a
 * piece of 6 MiB. It then cannot play a network that is away, nor load the page again. There is
 * no public way to do this: with another version the line may fail; then find its new name.
 */
export async function deaf(page) {
  await page._connection.toImpl(page).delegate._mainFrameSession._client.send("Network.disable");
}

export const content = (page) => assert.deepEqual(page.complaints, []);

/** drop lets files and folders fall onto the page as from a file manager, so that it gets handles. */
export const drop = (page, ...files) => drag(page, files, "dragEnter", "dragOver", "drop");

/** drag plays a part of that. */
export async function drag(page, files, ...types) {
  // The one session knows of the drag that it has begun.
  const cdp = (page.hand ??= await page.context().newCDPSession(page));
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of types) {
    await cdp.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
  }
}

/** choose uses the input behind the button; pickers with handles cannot be driven. */
export const choose = (page, ...files) => page.locator("#in-files").setInputFiles(files);

/** share is how much of all has left, 0 to 100, as the page shows it. */
export const share = (page) => page.locator("#sum-bar").getAttribute("aria-valuenow").then(Number);

/** reaches waits until the page shows so much. */
export const reaches = (page, percent) =>
  page.waitForFunction((p) => Number(document.getElementById("sum-bar")?.getAttribute("aria-valuenow")) >= p, percent, {
    timeout: patience,
    polling: 20,
  });

/** heading waits for what the page says of all files together. */
export const heading = (page, text) => page.locator("#sum-title", { hasText: text }).waitFor();

export const done = (page) => heading(page, /is there$|are there$/);

/** state waits for what the page says of one file. */
export const state = (page, name, text) =>
  page.locator("#list li", { hasText: name }).locator(".state", { hasText: text }).waitFor();

/** shot keeps a picture of the moment, in all sizes and colours, if somebody wants to see it. */
export async function shot(page, name) {
  const folder = process.env.PLAY_SHOTS;
  if (!folder) return;
  const before = page.viewportSize();
  for (const [where, size] of Object.entries({ desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } })) {
    await page.setViewportSize(size);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(350); // for what moves
      await page.screenshot({ path: `${folder}/${name}-${where}-${colorScheme}.png` });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize(before);
}

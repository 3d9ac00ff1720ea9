// What every play needs: a browser, the page, and the Go test on the other end
// of standard input and output, which has the server in its hands.
import assert from "node:assert/strict";
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

/** play runs the play in a browser of its own. */
export async function play(act, options = {}) {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    headless: true,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    ],
  });
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options });
  context.setDefaultTimeout(25_000);
  try {
    await act(await open(context), context);
  } catch (e) {
    for (const page of context.pages()) {
      const seen = await Promise.race([page.evaluate(words), new Promise((ok) => setTimeout(ok, 2000))]).catch(() => "");
      console.error(`-- the page showed\n${String(seen).slice(0, 1500)}\n--`);
    }
    throw e;
  } finally {
    await browser.close();
    lines.return?.();
    process.stdin.destroy();
  }
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

export const content = (page) => assert.deepEqual(page.complaints, []);

/** drop lets files and folders fall onto the page as from a file manager, so that it gets handles. */
export async function drop(page, ...files) {
  const cdp = await page.context().newCDPSession(page);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await cdp.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
  }
  await cdp.detach();
}

/** choose uses the input behind the button; pickers with handles cannot be driven. */
export const choose = (page, ...files) => page.locator("#in-files").setInputFiles(files);

/** share is how much of all has left, 0 to 100, as the page shows it. */
export const share = (page) => page.locator("#sum-bar").getAttribute("aria-valuenow").then(Number);

/** reaches waits until the page shows so much. */
export const reaches = (page, percent) =>
  page.waitForFunction((p) => Number(document.getElementById("sum-bar")?.getAttribute("aria-valuenow")) >= p, percent, {
    timeout: 60_000,
    polling: 20,
  });

/** heading waits for what the page says of all files together. */
export const heading = (page, text, timeout = 60_000) =>
  page.locator("#sum-title", { hasText: text }).waitFor({ timeout });

export const done = (page, timeout) => heading(page, /is there$|are there$/, timeout);

// The browser, for the Go test on the other end of standard input and output:
// one order is one line of JSON, and so is its answer. The browser ends when
// there are no more.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const patience = 120_000; // ms, for what would never happen: the machine may have much to do

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  timeout: patience,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
  ],
});

const pages = new Map(); // by the name that the test has for them

const orders = {
  /** open shows a page in a browser of its own, with nothing from others. */
  async open({ page: name, url }) {
    const context = await browser.newContext();
    context.setDefaultTimeout(patience);
    context.setDefaultNavigationTimeout(patience);
    const page = await context.newPage();
    const said = [];
    page.on("pageerror", (e) => said.push(`error: ${e.stack ?? e}`));
    page.on("console", (m) => said.push(`${m.type()}: ${m.text()}`));
    pages.set(name, { page, context, said });
    await page.goto(url);
  },
  /** choose is what a person does in the dialogue for files. */
  async choose({ page: name, input, files }) {
    await pages.get(name).page.locator(input).setInputFiles(files);
  },
  async press({ page: name, button }) {
    await pages.get(name).page.locator(button).dispatchEvent("click");
  },
  /** see waits for a text. */
  async see({ page: name, text }) {
    await pages.get(name).page.getByText(text, { exact: true }).waitFor();
  },
  /** until waits until a function of the page says that it is so; Playwright's own takes no promises. */
  async until({ page: name, so }) {
    const { page } = pages.get(name);
    for (const end = Date.now() + patience; !(await page.evaluate((so) => window[so](), so)); await page.waitForTimeout(10)) {
      if (Date.now() > end) throw new Error(`${so} is never so`);
    }
  },
  /** next waits for what the page tells. */
  async next({ page: name }) {
    return await pages.get(name).page.evaluate(() => next());
  },
  async reload({ page: name }) {
    await pages.get(name).page.reload();
  },
  /** said is what the console of a page has. */
  async said({ page: name }) {
    return pages.get(name)?.said.slice(-30).join("\n") ?? "";
  },
  async close({ page: name }) {
    const { context } = pages.get(name);
    pages.delete(name);
    await context.close();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, order, ...rest } = JSON.parse(line);
  orders[order](rest).then(
    (result) => console.log(JSON.stringify({ id, result: result ?? null })),
    (e) => console.log(JSON.stringify({ id, error: String(e) })),
  );
}
await browser.close();

// Sends files from a page in Chromium and tells how many seconds it took. What
// to send, where and by how many workers, is the argument, as JSON.
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../web/browser/package.json", import.meta.url))("playwright-core");
const job = JSON.parse(process.argv[2]);

const browser = await chromium.launch({
  executablePath: job.chromium,
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-proxy-server",
    `--ignore-certificate-errors-spki-list=${job.spki}`, "--host-resolver-rules=MAP *.line.test 127.0.0.1",
  ],
});
try {
  // The page's own policy allows it to send to its own origin only.
  const page = await browser.newPage({ bypassCSP: true });
  page.setDefaultTimeout(0);
  await page.goto(job.url);
  const input = await page.evaluateHandle(() => {
    const i = document.createElement("input");
    i.type = "file";
    return document.body.appendChild(i);
  });
  if (job.file) await input.setInputFiles(job.file);
  // The driver has each body told to it that is sent, encoded, at 200 ms for a
  // piece of 6 MiB, and has no public way to do without. With another version
  // this line may fail; it must not be left out.
  await page._connection.toImpl(page).delegate._mainFrameSession._client.send("Network.disable");
  const seconds = await page.evaluate(send, [input, job]);
  console.log(JSON.stringify(seconds));
} finally {
  await browser.close();
}

// It runs in the page.
async function send([input, job]) {
  const { Uploader } = await import("/assets/client.js");
  const files = [...input.files];
  for (let i = 0; i < (job.count ?? 0); i++) {
    files.push(new File([crypto.getRandomValues(new Uint8Array(job.size))], `small-${i}.bin`));
  }
  let send;
  if (job.streams) send = (await import("/assets/streams.js")).streams();
  if (job.direct) send = (await import("/assets/direct.js")).direct();
  const uploader = new Uploader({ target: job.targets, workers: job.workers, send });
  const began = performance.now();
  await new Promise((ok, no) => {
    uploader.on("complete", ok);
    uploader.on("fileError", (file, error) => no(new Error(`${file.name}: ${error.what}`)));
    uploader.addFiles(files).then(() => uploader.upload(), no);
  });
  const took = (performance.now() - began) / 1000;
  const missing = uploader.files.filter((f) => f.state !== "done").length;
  if (missing > 0) throw new Error(`${missing} of ${files.length} files are not done`);
  return took;
}

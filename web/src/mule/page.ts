// The page at /mule: files go one after another, each as Mule Uploader sends it.

import { bytes } from "../box/words.js";
import { get, text } from "../page/dom.js";
import { Row } from "./row.js";
import { type Place, Upload } from "./upload.js";

const page = get("page");
const input = get<HTMLInputElement>("files");
const token = get<HTMLInputElement>("token");
const withToken = get<HTMLDetailsElement>("with-token");
const list = get("list");
const rows: Row[] = [];
let running = false;

const place = (): Place => ({
  backend: new URL(page.dataset["backend"]!, document.baseURI).href,
  chunk: Number(page.dataset["chunk"]),
  token: token.value.trim(),
});
text(get("chunk"), bytes(place().chunk));

/** go sends what waits, one file after another. */
async function go(): Promise<void> {
  if (running) return;
  running = true;
  for (let row; (row = rows.find((r) => r.upload.state === "queued")); ) {
    await row.upload.run();
    const { state, status, trouble, file } = row.upload;
    if (state === "done") text(get("said"), `${file.name} has arrived.`);
    if (state === "failed") text(get("said"), `${file.name} did not arrive. ${trouble}`);
    if (status === 401 || status === 403) {
      withToken.open = true;
      token.focus();
    }
  }
  running = false;
}

const same = (a: File, b: File): boolean => a.name === b.name && a.size === b.size && a.lastModified === b.lastModified;

function add(files: Iterable<File>): void {
  for (const file of files) {
    const known = rows.find((r) => same(r.upload.file, file));
    if (known && !["done", "failed", "paused"].includes(known.upload.state)) continue; // it is being sent
    const upload = new Upload(file, place, () => row.draw(!token.value));
    const row: Row = new Row(upload, {
      pause: () => upload.pause(),
      resume: (force) => {
        upload.force ||= force;
        upload.state = "queued";
        row.draw();
        void go();
      },
      remove: () => {
        upload.pause();
        row.node.remove();
        rows.splice(rows.indexOf(row), 1);
        get("choose").focus();
      },
    });
    if (known) {
      rows.splice(rows.indexOf(known), 1, row);
      known.node.replaceWith(row.node);
    } else {
      rows.push(row);
      list.append(row.node);
    }
  }
  void go();
}

get("choose").onclick = () => input.click();
input.onchange = () => {
  add(input.files ?? []);
  input.value = ""; // so that the same file can be chosen again
};
get<HTMLFormElement>("form").onsubmit = (e) => {
  e.preventDefault(); // Enter in the field of the token: what was refused goes on
  for (const { upload } of rows) if (upload.status === 401 || upload.status === 403) upload.state = "queued";
  void go();
};

const files = (e: DragEvent): boolean => !!e.dataTransfer?.types.includes("Files");
addEventListener("dragover", (e) => {
  if (!files(e)) return;
  e.preventDefault();
  document.body.classList.add("over");
});
addEventListener("dragleave", (e) => {
  if (!e.relatedTarget) document.body.classList.remove("over");
});
addEventListener("drop", (e) => {
  if (!files(e)) return;
  e.preventDefault();
  document.body.classList.remove("over");
  add(e.dataTransfer?.files ?? []);
});
document.documentElement.classList.add("ready");

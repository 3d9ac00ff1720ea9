// The page at /streams: choose a file, upload it over a socket, hear of it.

import { Uploader } from "../../index.js";
import type { UploadItem } from "../../types.js";
import { streams } from "../index.js";

const at = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;

const file = at<HTMLInputElement>("file");
const button = at<HTMLButtonElement>("upload");
const bar = at<HTMLProgressElement>("bar");
const uploader = new Uploader({ target: "/upload/", send: streams() });

function say(text: string, kind = ""): void {
  at("said").textContent = text;
  at("said").className = kind;
}

function show(item: UploadItem): void {
  at("state").hidden = false;
  at("name").textContent = item.name;
  bar.value = item.progress();
  at("percent").textContent = Math.floor(item.progress() * 100) + " %";
}

uploader.on("fileProgress", show);
uploader.on("fileRetry", (_item, error) => say(`${error.what} ${error.todo}`));
uploader.on("fileError", (_item, error) => {
  button.disabled = false;
  say(`${error.what} ${error.todo}`, "bad");
});
uploader.on("fileSuccess", (item) => {
  button.disabled = false;
  show(item);
  say("File uploaded successfully", "good");
});

at("form").onsubmit = (e) => {
  e.preventDefault();
  const chosen = file.files?.[0];
  if (!chosen) return;
  button.disabled = true;
  say("");
  void (async () => {
    // Whoever presses the button again means it, so this is another upload.
    for (const i of [...uploader.files]) await uploader.removeFile(i);
    await uploader.add(chosen);
    uploader.upload();
  })();
};

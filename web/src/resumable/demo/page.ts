// The page that shows the uploader at work. A page of an application gets its
// token from there; this one makes one and keeps it.

import type { ResumableUploader as Uploader } from "./uploader.js";

declare const ResumableUploader: typeof Uploader;

const key = "upload_token";

function token(): string {
  try {
    const kept = localStorage.getItem(key);
    if (kept) return kept;
  } catch {
    // Then there is a new one at each visit.
  }
  const made = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
  try {
    localStorage.setItem(key, made);
  } catch {
    // As above.
  }
  return made;
}

const all = (selector: string): NodeListOf<HTMLElement> => document.querySelectorAll<HTMLElement>(selector);

const uploader = new ResumableUploader(
  token(), {}, all(".resumable-browse"), all(".resumable-drop"), all(".progress"), all(".uploader-list"), all(".file-edit-container"),
);
Object.assign(globalThis, { uploader });
document.documentElement.classList.add("ready");

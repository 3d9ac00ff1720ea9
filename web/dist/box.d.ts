import type { Uploader } from "./client.js";

/** A file, with its path relative to what was handed over: "photos/2024/a.jpg". */
export interface Found {
  file: File;
  path: string;
  /** With it the browser can read the file again after a reload. */
  handle?: FileSystemHandle;
}

/**
 * <upload-box> uploads files where a form would have <input type=file>. The
 * ids of finished uploads are its value; the form cannot be sent while files
 * are under way. Importing the module defines it; it needs a document.
 *
 * Attributes: endpoint, token, accept, max-size, max-files, directory,
 * multiple, disabled, required, name, workers, direct. Slots: label, hint. Parts: zone,
 * choose, list, file, name, state, bar, action, remove, problem. Events:
 * change; upload-done and upload-error with an UploadItem as detail;
 * upload-progress with TotalStats.
 */
export declare class UploadBox extends HTMLElement {
  static formAssociated: boolean;
  /** The uploader behind it, made at first use. */
  get uploader(): Uploader;
  /** The ids of finished uploads. */
  get value(): string[];
  get form(): HTMLFormElement | null;
  get name(): string;
  get type(): string;
  get validity(): ValidityState;
  get validationMessage(): string;
  checkValidity(): boolean;
  reportValidity(): boolean;
  /** Takes files as if they had been chosen. */
  add(found: Iterable<Found>): Promise<void>;
}

declare global {
  interface HTMLElementTagNameMap {
    "upload-box": UploadBox;
  }
}

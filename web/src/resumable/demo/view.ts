// One file as the old pages show it. Their nodes are found by their classes,
// and each of them may be missing.

import type { ResumableFile } from "../types.js";
import type { Words } from "./uploader.js";
import { shown } from "./uploader.js";

const graphics = "/resources/um/graphics/uploader/";

type Edit = "editing" | "saving" | "saved";
type Upload = "uploading" | "completed" | "error";

/** The words that have a place of their own in the form. */
const places = ["title", "description", "tags"] as const;

export class View {
  onselect = (): void => {};
  oncancel = (): void => {};
  private readonly words: Words;
  private edit: Edit = "editing";
  private upload: Upload = "uploading";
  private pictured: string | undefined;

  constructor(
    readonly file: ResumableFile,
    private readonly token: string,
    saved: Words | undefined,
    private readonly row: HTMLElement,
    private readonly form: HTMLElement,
  ) {
    this.words = { title: file.fileName, publish: 0, ...saved };
    if (saved) this.edit = "saved";
    row.addEventListener("click", () => this.onselect());
    this.each("form", (f) =>
      f.addEventListener("submit", (e) => {
        e.preventDefault();
        this.read(f as HTMLFormElement);
        void this.save();
      }),
    );
    this.each(".file-edit-edit", (b) => b.addEventListener("click", () => this.show("editing")));
    this.each(".file-edit-cancel", (a) =>
      a.addEventListener("click", (e) => {
        e.preventDefault();
        e.stopPropagation();
        this.oncancel();
      }),
    );
    this.each(".file-edit-meta-size span", (e) => (e.textContent = `${Math.round(file.size / 104857.6) / 10} MB`));
    this.each(".file-edit-meta-filename span", (e) => (e.textContent = file.fileName));
    this.each(".file-edit-error b, .file-edit-error h2", (e) => (e.textContent = file.fileName));
    this.each(".file-edit-meta-progress-complete a", (a) => a.setAttribute("href", this.address("/actions", { action: "resumable-upload-redirect" })));
    this.write();
    this.show(this.edit);
    this.moved();
    this.picture();
  }

  private each(selector: string, f: (e: HTMLElement) => void): void {
    for (const part of [this.row, this.form]) for (const e of part.querySelectorAll<HTMLElement>(selector)) f(e);
  }

  private address(path: string, more: Record<string, string>): string {
    const { token, file } = this;
    return `${path}?${new URLSearchParams({ ...more, upload_token: token, resumableIdentifier: file.uniqueIdentifier })}`;
  }

  select(yes: boolean): void {
    this.row.classList.toggle("is-active", yes);
    shown(this.form, yes);
  }

  remove(): void {
    this.row.remove();
    this.form.remove();
  }

  // How far it is.

  moved(): void {
    const share = this.upload === "completed" ? 1 : this.file.progress();
    const failed = this.upload === "error";
    const over = !failed && this.upload === "completed";
    this.each(".file-edit-meta-progress-processing span", (e) => (e.textContent = `${Math.floor(share * 100)} %`));
    this.each(".file-edit-meta-progress-processing", (e) => shown(e, !failed && !over));
    this.each(".file-edit-meta-progress-complete", (e) => shown(e, over));
    const icon = failed ? "error" : over ? "done" : `uploaded-${Math.floor(share * 10) * 10}`;
    const said = failed ? "failed" : over ? "done" : `${Math.floor(share * 100)} %`;
    this.each("img.uploader-item-status", (img) => {
      if (img.getAttribute("src") !== `${graphics}${icon}.png`) img.setAttribute("src", `${graphics}${icon}.png`);
      img.setAttribute("alt", said);
    });
    const ends = [this.file.chunks[0], this.file.chunks.at(-1)];
    if (ends.every((c) => c?.status() === "success")) this.picture("ends");
  }

  ended(how: "completed" | "error", message = ""): void {
    this.upload = how;
    this.each(".file-edit-error p", (e) => (e.textContent = message));
    this.show(this.edit);
    this.moved();
    if (how === "completed") this.picture("whole");
  }

  /** Shows a picture of the file: when its ends are there, and when all of it is, which may be another one. */
  private picture(when = ""): void {
    if (when === this.pictured || this.pictured === "whole") return;
    this.pictured = when;
    const url = this.address("/api/photo/frame", { time: "10", _: String(Math.random()) });
    this.each("img.uploader-item-thumbnail, img.file-edit-thumbnail", (img) => img.setAttribute("src", url));
  }

  // What a person says of it.

  private field(f: ParentNode, place: string): HTMLInputElement | HTMLTextAreaElement | null {
    return f.querySelector(`.file-edit-form-${place} input, .file-edit-form-${place} textarea`);
  }

  private write(): void {
    const { words } = this;
    for (const form of this.form.querySelectorAll("form")) {
      for (const place of places) {
        const field = this.field(form, place);
        if (field) field.value = words[place] ?? "";
      }
      const album = form.querySelector<HTMLSelectElement>(".file-edit-form-album select");
      if (album) album.value = words.album_id ?? "";
      const publish = form.querySelector<HTMLInputElement>("[name=published_p]");
      if (publish) publish.checked = +(words.publish ?? 0) === 1;
    }
  }

  private read(form: HTMLFormElement): void {
    const { words } = this;
    for (const place of places) words[place] = this.field(form, place)?.value ?? words[place] ?? "";
    const album = form.querySelector<HTMLSelectElement>(".file-edit-form-album select");
    if (album) {
      words.album_id = album.value;
      words.album_label = album.value ? (album.selectedOptions[0]?.label ?? "") : "";
    }
    words.publish = +!!form.querySelector<HTMLInputElement>("[name=published_p]")?.checked;
  }

  private async save(): Promise<void> {
    this.show("saving");
    const { title, description, album_id, album_label, tags, publish } = this.words;
    const body = new URLSearchParams({
      upload_token: this.token,
      resumableIdentifier: this.file.uniqueIdentifier,
      title: title ?? "",
      description: description ?? "",
      album_id: album_id ?? "",
      album_label: album_label ?? "",
      tags: tags ?? "",
      publish: String(publish ?? 0),
    });
    const answer = await fetch("/api/photo/update-upload-token", { method: "POST", body }).catch(() => undefined);
    const trouble = answer?.ok ? "" : "This could not be saved. Try again when the upload has begun.";
    this.each(".file-edit-form-trouble", (e) => (e.textContent = trouble));
    this.show(answer?.ok ? "saved" : "editing");
  }

  private show(edit: Edit): void {
    this.edit = edit;
    const { words } = this;
    for (const part of [this.row, this.form]) {
      for (const name of ["uploading", "completed", "error", "editing", "saving", "saved"]) {
        part.classList.toggle(`is-${name}`, name === edit || name === this.upload);
      }
    }
    this.each(".uploader-item-title", (e) => (e.textContent = words.title || this.file.fileName));
    const saved = { title: words.title, description: words.description, tags: words.tags, album: words.album_label };
    for (const [place, text] of Object.entries(saved)) {
      const at = `.file-edit-form-saved .file-edit-form-${place} .file-edit-form-widget`;
      this.each(at, (e) => ((e.textContent = text ?? ""), shown(e, !!text)));
      this.each(at + "-empty", (e) => shown(e, !text));
    }
    const publish = +(words.publish ?? 0) === 1;
    this.each(".file-edit-form-saved .file-edit-form-widget-publish", (e) => shown(e, publish));
    this.each(".file-edit-form-saved .file-edit-form-widget-nopublish", (e) => shown(e, !publish));
  }
}

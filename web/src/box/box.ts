import { direct } from "../direct.js";
import { Uploader } from "../index.js";
import type { AddOptions, Options, Source, UploadItem } from "../types.js";
import { element, Entry } from "./entry.js";
import { Live } from "./live.js";
import { speak } from "./speaker.js";
import { style } from "./style.js";
import { busy } from "./tell.js";
import { bytes, count, files } from "./words.js";
import { dropped, picked, type Found } from "./walk.js";

const often = 100; // milliseconds between two paints
const most = 200; // rows; who sends more needs a page and not a form field

/**
 * <upload-box> uploads files where a form would have <input type=file>. The
 * ids of finished uploads are its value, one field each under its name; the
 * form cannot be sent while files are under way.
 *
 * Attributes: endpoint, token, accept, max-size, max-files, directory,
 * multiple, disabled, required, name, workers, direct. Slots: label, hint. Parts: zone,
 * choose, list, file, name, state, bar, action, remove, before, problem. Events:
 * change, and those of the uploader as upload-done, upload-error, upload-progress.
 */
export class UploadBox extends HTMLElement {
  static formAssociated = true;
  static observedAttributes = [
    "endpoint",
    "token",
    "accept",
    "max-size",
    "max-files",
    "directory",
    "multiple",
    "required",
    "workers",
  ];

  private internals = this.attachInternals();
  private made: Uploader | undefined;
  private entries = new Map<UploadItem, Entry>();
  private restored: string[] = []; // ids of a form that the browser filled in again
  private timer = 0;
  private off = false;

  private input = element("input");
  private button = element("button", "choose", "Choose files");
  private list = element("ul", "list");
  private more = element("p", "hint");
  private problem = element("p", "problem");
  private earlier = element("p", "before", element("span"), " "); // what a reload brought back
  private frame: HTMLElement;
  private status = element("p", "unseen");
  private live = new Live(this.status);

  constructor() {
    super();
    const label = element("slot", "", "Files");
    label.name = "label";
    const hint = element("slot");
    hint.name = "hint";
    const title = element("div", "label", label);
    title.id = "label";
    this.input.type = "file";
    this.input.hidden = true;
    this.button.type = "button";
    this.button.id = "choose";
    this.button.setAttribute("aria-labelledby", "choose label");
    this.list.ariaLabel = "Chosen files";
    this.status.role = "status";
    const zone = element(
      "div",
      "zone",
      element("div", "words", title, element("div", "hint", hint)),
      this.button,
      this.input,
    );
    const forget = element("button", "remove", "Remove");
    forget.type = "button";
    forget.onclick = () => {
      this.restored = [];
      this.account();
      this.button.focus();
    };
    this.earlier.append(forget);
    this.frame = element("div", "", zone, this.problem, this.earlier, this.list, this.more, this.status);
    this.list.hidden = this.more.hidden = this.problem.hidden = this.earlier.hidden = true;

    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
    root.adoptedStyleSheets = [sheet];
    root.append(this.frame);
    this.listen();
  }

  /** The uploader behind it, made at first use. */
  get uploader(): Uploader {
    return (this.made ??= this.begin());
  }

  /** The ids of finished uploads. */
  get value(): string[] {
    const ids = (this.made?.files ?? []).flatMap((i) => (i.state === "done" && i.result ? [i.result.id] : []));
    return [...this.restored, ...ids];
  }

  get form(): HTMLFormElement | null {
    return this.internals.form;
  }

  get name(): string {
    return this.getAttribute("name") ?? "";
  }

  get type(): string {
    return this.localName;
  }

  get validity(): ValidityState {
    return this.internals.validity;
  }

  get validationMessage(): string {
    return this.internals.validationMessage;
  }

  checkValidity(): boolean {
    return this.internals.checkValidity();
  }

  reportValidity(): boolean {
    return this.internals.reportValidity();
  }

  connectedCallback(): void {
    this.dress();
    this.account();
  }

  disconnectedCallback(): void {
    // Moving an element within its page disconnects it too.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.made?.close();
      this.made = undefined;
      this.entries.clear();
      this.list.replaceChildren();
    });
  }

  attributeChangedCallback(name: string): void {
    if (name === "token") this.made?.setToken(this.getAttribute("token") ?? undefined);
    this.dress();
    this.account();
  }

  formDisabledCallback(disabled: boolean): void {
    this.off = disabled;
    this.button.disabled = disabled;
  }

  formResetCallback(): void {
    this.restored = [];
    for (const item of [...(this.made?.files ?? [])]) void this.made?.removeFile(item);
  }

  formStateRestoreCallback(state: FormData): void {
    this.restored = [...state.values()].filter((v) => typeof v === "string");
    this.account();
  }

  /** add takes files as if they had been chosen. */
  async add(found: Iterable<Found>): Promise<void> {
    const pairs = Array.from(found, ({ file, path, handle }): [Source, AddOptions] => {
      const about: AddOptions = { path: path.includes("/") ? path : "" };
      if (handle?.kind === "file") about.handle = handle as FileSystemFileHandle;
      return [file, about];
    });
    if (pairs.length) await this.uploader.addFiles(this.many ? pairs : pairs.slice(0, 1));
  }

  private get many(): boolean {
    return this.hasAttribute("multiple") || this.hasAttribute("directory");
  }

  private begin(): Uploader {
    const figure = (name: string) => Number(this.getAttribute(name)) || undefined;
    const options: Options = { target: this.getAttribute("endpoint") || "/upload/", autoStart: true };
    const given = {
      token: this.getAttribute("token") || undefined,
      fileType: this.getAttribute("accept") || undefined,
      maxFileSize: figure("max-size"),
      maxFiles: this.many ? figure("max-files") : 1,
      workers: figure("workers"),
      send: this.hasAttribute("direct") ? direct() : undefined,
    };
    const made = new Uploader(
      Object.assign(options, Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined))),
    );
    speak(made, this.live);
    made.on("filesAdded", (_, skipped) => {
      const said = skipped
        .slice(0, 3)
        .map((s) => `${s.file instanceof File ? s.file.name : "A file"}: ${s.error.message}`)
        .join(" ");
      this.problem.textContent = said;
      this.problem.hidden = !said;
      if (said) this.live.say("skipped", said);
    });
    made.on("fileAdded", (item) => this.appear(item));
    made.on("fileRemoved", (item) => this.vanish(item));
    made.on("fileState", () => this.account());
    made.on("fileSuccess", (item) => this.emit("upload-done", item));
    made.on("fileError", (item) => this.emit("upload-error", item));
    made.on("progress", (stats) => this.emit("upload-progress", stats));
    made.on("catchAll", () => this.soon());
    if (!made.support)
      this.problem.textContent = `This browser lacks ${Uploader.missing.join(", ")} and cannot upload here.`;
    this.problem.hidden = made.support;
    return made;
  }

  private listen(): void {
    this.button.onclick = () => this.input.click();
    this.input.onchange = () => {
      const found = picked(this.input.files!);
      this.input.value = ""; // so that the same file can be chosen again
      void this.add(found);
    };
    const over = (yes: boolean) => this.frame.classList.toggle("over", yes);
    this.addEventListener("dragover", (e) => {
      if (this.off || !e.dataTransfer?.types.includes("Files")) return;
      e.preventDefault();
      over(true);
    });
    this.addEventListener("dragleave", () => over(false));
    this.addEventListener("drop", async (e) => {
      over(false);
      if (this.off || !e.dataTransfer?.types.includes("Files")) return;
      e.preventDefault();
      for await (const found of dropped(e.dataTransfer).found) await this.add(found);
    });
  }

  private dress(): void {
    const { input } = this;
    input.multiple = this.many;
    input.webkitdirectory = this.hasAttribute("directory");
    input.accept = this.getAttribute("accept") ?? "";
    this.button.textContent = this.hasAttribute("directory")
      ? "Choose a folder"
      : this.many
        ? "Choose files"
        : "Choose a file";
    const hint = this.shadowRoot!.querySelector<HTMLSlotElement>("slot[name=hint]")!;
    const limit = Number(this.getAttribute("max-size"));
    hint.textContent = `Or drop ${this.many ? "them" : "it"} here.` + (limit ? ` Up to ${bytes(limit)} each.` : "");
  }

  private appear(item: UploadItem): void {
    if (this.entries.size >= most) return;
    const entry = new Entry(item, (e) => void this.drop(e));
    this.entries.set(item, entry);
    this.list.append(entry.element);
  }

  private vanish(item: UploadItem): void {
    this.entries.get(item)?.element.remove();
    this.entries.delete(item);
    this.account();
  }

  private async drop(entry: Entry): Promise<void> {
    const all = [...this.entries.values()];
    const at = all.indexOf(entry);
    const next = all[at + 1] ?? all[at - 1];
    if (next) next.focus();
    else this.button.focus();
    await this.uploader.removeFile(entry.item);
  }

  // account tells the form what there is and whether it may be sent.
  private account(): void {
    const data = new FormData();
    const { value } = this;
    for (const id of value) data.append(this.name, id);
    this.internals.setFormValue(this.name && value.length ? data : null, data);
    const { length } = this.restored;
    this.earlier.hidden = !length;
    this.earlier.firstElementChild!.textContent = `${files(length)} ${length === 1 ? "is" : "are"} there already.`;
    this.earlier.lastElementChild!.textContent = length === 1 ? "Remove it" : "Remove them";
    const all = this.made?.files ?? [];
    const open = all.filter((i) => busy(i) || i.state === "queued" || i.state === "paused").length;
    const failed = all.filter((i) => i.state === "failed").length;
    if (open) this.internals.setValidity({ customError: true }, `${files(open)} still under way.`, this.button);
    else if (failed)
      this.internals.setValidity(
        { customError: true },
        `${files(failed)} did not arrive: try again, or remove what is not needed.`,
        this.button,
      );
    else if (this.hasAttribute("required") && !value.length)
      this.internals.setValidity({ valueMissing: true }, "Please choose a file.", this.button);
    else this.internals.setValidity({});
  }

  private emit(type: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
    if (type === "upload-done") this.dispatchEvent(new Event("change", { bubbles: true }));
  }

  private soon(): void {
    if (!this.timer) this.timer = window.setTimeout(() => this.paint(), often);
  }

  private paint(): void {
    this.timer = 0;
    let waits = false;
    for (const [item, entry] of this.entries) {
      entry.paint();
      waits ||= item.state === "waiting";
    }
    const hidden = (this.made?.files.length ?? 0) - this.entries.size;
    this.list.hidden = !this.entries.size;
    this.more.hidden = hidden <= 0;
    this.more.textContent = `And ${count(hidden)} more.`;
    if (waits) this.timer = window.setTimeout(() => this.paint(), 500);
  }
}

if (!customElements.get("upload-box")) customElements.define("upload-box", UploadBox);

declare global {
  interface HTMLElementTagNameMap {
    "upload-box": UploadBox;
  }
}

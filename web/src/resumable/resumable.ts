import type { Item } from "../item.js";
import { Client } from "../uploader.js";
import { type Found, dropped, picked } from "../box/walk.js";
import { ResumableFile } from "./file.js";
import { listOf, type Listening, receive, release } from "./nodes.js";
import { accepted, type All, complete } from "./options.js";
import { asked, parameters, place } from "./request.js";
import type * as api from "./types.js";

/** What has to be there; who lacks it cannot upload. */
export const support = (): boolean =>
  typeof Blob === "function" && "slice" in Blob.prototype && typeof File === "function" && typeof AbortController === "function" &&
  typeof BigInt === "function" && (typeof XMLHttpRequest === "function" || typeof fetch === "function");

type Name = keyof api.ResumableEvents;

/** The interface of Resumable.js over the client. */
export class Resumable implements api.Resumable {
  readonly support = support();
  readonly opts: All;
  readonly files: ResumableFile[] = [];

  private readonly up: Client;
  private readonly listeners = new Map<string, ((...args: any[]) => void)[]>();
  private readonly drops: Listening = new Map();
  /** What each file is called, before it has an item. */
  private readonly names = new WeakMap<Blob, string>();
  private readonly byItem = new WeakMap<Item, ResumableFile>();
  private adding: Promise<unknown> = Promise.resolve();
  private errors = 0;
  private cancelling = false;

  constructor(options: api.ResumableOptions = {}) {
    this.opts = complete(options);
    const o = this.opts;
    const { path, query } = place(o);
    this.up = new Client({
      target: path,
      chunkSize: o.chunkSize,
      workers: o.simultaneousUploads,
      withCredentials: !!o.withCredentials,
      ...(o.chunkRetryInterval === undefined ? {} : { maxRetryInterval: o.chunkRetryInterval }),
      ...(o.xhrTimeout ? { timeout: o.xhrTimeout } : {}),
      headers: async (item, about) => {
        const file = this.of(item as Item);
        const chunk = asked(file, about);
        await file.gate.pass(o.preprocessFile ? () => o.preprocessFile!(file) : undefined);
        if (chunk) await chunk.gate.pass(o.preprocess ? () => o.preprocess!(chunk) : undefined);
        return { ...(typeof o.headers === "function" ? await o.headers(file, chunk) : o.headers) };
      },
      query: async (item, about) => {
        const file = this.of(item as Item);
        const chunk = asked(file, about);
        const more = typeof o.query === "function" ? await o.query(file, chunk) : o.query;
        return parameters(o, file, chunk, { ...query, ...more });
      },
    });
    this.hear(options);
  }

  // Telling.

  on(event: string, callback: (...args: any[]) => void): void {
    const name = event.toLowerCase();
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), callback]);
  }

  /** Calls the listeners of an event, and those of all events. */
  fire<E extends Name>(event: E, ...args: api.ResumableEvents[E]): void {
    for (const [name, said] of [[event.toLowerCase(), args], ["catchall", [event, ...args]]] as const) {
      for (const f of this.listeners.get(name) ?? []) {
        try {
          f.apply(this, said as any[]);
        } catch (e) {
          setTimeout(() => {
            throw e; // it is the page's, and must not stop the upload
          });
        }
      }
    }
  }

  /** Tells what the client tells. */
  private hear(given: api.ResumableOptions): void {
    const { up } = this;
    up.on("fileAdded", (item, origin) => {
      const name = this.names.get(item.file as Blob) ?? item.key;
      const file = new ResumableFile(this, item as Item, name);
      this.byItem.set(item as Item, file);
      this.files.push(file);
      this.fire("fileAdded", file, origin);
    });
    up.on("fileRemoved", (item) => {
      const at = this.files.findIndex((f) => f.item === item);
      if (at >= 0) this.files.splice(at, 1);
    });
    up.on("fileProgress", (item) => this.tell(this.of(item as Item)));
    up.on("fileSuccess", (item, result) => {
      const file = this.of(item as Item);
      this.tell(file, true);
      this.fire("fileSuccess", file, JSON.stringify(result));
    });
    up.on("fileError", (item, e) => {
      const file = this.of(item as Item);
      this.fire("fileError", file, e.message);
      this.fire("error", e.message, file);
    });
    up.on("fileRetry", (item, e) => {
      const file = this.of(item as Item);
      if (given.permanentErrors?.includes(e.status) || file.failed() > (this.opts.maxChunkRetries ?? Infinity)) {
        return (item as Item)._fail(e.code, { status: e.status, detail: e.detail });
      }
      this.fire("fileRetry", file);
    });
    up.on("uploadStart", () => this.fire("uploadStart"));
    up.on("pause", () => this.fire("pause"));
    up.on("complete", () => {
      up.started = false; // what is added now waits for upload()
      if (!this.cancelling && this.files.length) this.fire("complete");
    });
  }

  /** Tells of a file's progress, now and then. */
  private tell(file: ResumableFile, now = false): void {
    const { item } = file;
    const time = performance.now();
    if (!now && (!item.sent || item._final || time - file.told < 1000 * this.opts.throttleProgressCallbacks)) return;
    file.told = time;
    this.fire("fileProgress", file);
    this.fire("progress");
  }

  private of(item: Item): ResumableFile {
    return this.byItem.get(item)!; // which heard of it before anything else
  }

  // Adding.

  assignBrowse(nodes: api.Nodes, isDirectory = false): void {
    for (const node of listOf(nodes)) {
      receive.browse(node, isDirectory, this.opts, (files, event) => this.add(picked(files), event));
    }
  }
  assignDrop(nodes: api.Nodes): void {
    for (const node of listOf(nodes)) {
      if (this.drops.has(node)) continue;
      const take = async (data: DataTransfer, event: Event): Promise<void> => {
        for await (const found of dropped(data).found) this.add(found, event);
      };
      this.drops.set(node, receive.drop(node, this.opts.dragOverClass, (data, event) => void take(data, event)));
    }
  }
  unAssignDrop(nodes: api.Nodes): void {
    for (const node of listOf(nodes)) release(this.drops, node);
  }
  addFile(file: File, event?: unknown): void {
    this.addFiles([file], event);
  }
  addFiles(files: ArrayLike<File>, event?: unknown): void {
    this.add(picked(Array.from(files)), event);
  }

  /** Takes files one call after the other, so that limits hold over all of them. */
  private add(found: Found[], event?: unknown): void {
    this.adding = this.adding.then(() => this.take(found, event)).catch((e) => console.error(e));
  }

  private async take(found: Found[], event: unknown): Promise<void> {
    const o = this.opts;
    const max = o.maxFiles;
    let skipped: File[] = [];
    let wanted = found.filter(({ file }) => this.fits(file) || !skipped.push(file));
    if (max === 1 && wanted.length === 1 && this.files.length === 1) {
      this.files[0]!.cancel();
    } else if (max !== undefined && wanted.length + this.files.length > max && wanted.length) {
      o.maxFilesErrorCallback(wanted.map((f) => f.file), this.errors++);
      skipped = found.map((f) => f.file);
      wanted = [];
    }
    const before = new Set(this.files);
    for (const { file, path } of wanted) {
      const about: { path?: string; fingerprint?: string } = path === file.name ? {} : { path };
      const id = await o.generateUniqueIdentifier?.(file, event);
      if (id) {
        this.names.set(file, String(id));
        about.fingerprint = /^[!-~]+$/.test(id) ? String(id) : encodeURIComponent(id); // a header has no other characters
      }
      const count = this.files.length;
      await this.up.add(file, about, event);
      if (this.files.length === count) skipped.push(file);
    }
    const added = this.files.filter((f) => !before.has(f));
    if (added.length || skipped.length) this.fire("filesAdded", added, skipped);
  }

  /** Tells whether a file is within the limits; if not, the page hears of it. */
  private fits(file: File): boolean {
    const o = this.opts;
    if (!accepted(o.fileType, file.name, file.type)) o.fileTypeErrorCallback(file, this.errors++);
    else if (o.minFileSize !== undefined && file.size < o.minFileSize) o.minFileSizeErrorCallback(file, this.errors++);
    else if (o.maxFileSize !== undefined && file.size > o.maxFileSize) o.maxFileSizeErrorCallback(file, this.errors++);
    else return true;
    return false;
  }

  // What people do with all of them.

  get started(): boolean {
    return this.up.started;
  }
  upload(): void {
    for (const f of this.files) {
      if (!f.aborted) continue;
      f.aborted = false;
      f.item.resume();
    }
    if (!this.isUploading()) this.up.upload();
  }
  pause(): void {
    if (this.up.started) this.up.pause();
    else this.fire("pause");
  }
  cancel(): void {
    this.fire("beforeCancel");
    this.cancelling = true;
    for (const f of [...this.files]) this.removeFile(f);
    this.cancelling = false;
    this.fire("cancel");
  }
  removeFile(file: api.ResumableFile): void {
    const { item } = file as ResumableFile;
    void this.up.removeFile(item);
    if (item.isComplete()) this.up._drop(item);
  }
  progress(): number {
    return this.up.progress();
  }
  isUploading(): boolean {
    return this.up.isUploading();
  }
  getFromUniqueIdentifier(id: string): ResumableFile | undefined {
    return this.files.find((f) => f.uniqueIdentifier === id);
  }
  getSize(): number {
    return this.up.getSize();
  }
  getOpt(name: string): unknown {
    return this.opts[name as keyof All];
  }
  updateQuery(query: api.ResumableOptions["query"]): void {
    Object.assign(this.opts, { query });
  }
}

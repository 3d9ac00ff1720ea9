import { Calls } from "./calls.js";
import { type About, Failure, said } from "./errors.js";
import { Emitter } from "./events.js";
import { Item } from "./item.js";
import { Pace } from "./pace.js";
import { Pieces } from "./pieces.js";
import { Totals } from "./stats.js";
import { Sums } from "./sums.js";
import type { AddOptions, ErrorCode, Memory, Options, Remembered, Skipped, Source, TotalStats, Uploader } from "./types.js";
import { within } from "./within.js";

/** Listeners hear of progress no more often, in milliseconds. */
const often = 100;

/** What nothing can be uploaded without, and is missing here. */
const lacking = globalThis.AbortController ? [] : ["AbortController"];
const support = !lacking[0];

export class Client extends Emitter implements Uploader {
  static readonly support = support;
  static readonly missing: readonly string[] = lacking;

  readonly files: Item[] = [];
  started = false;

  _calls: Calls;
  _pace: Pace;
  _sums: Sums;
  /** Undefined until it is needed. */
  _memory: Memory | null | undefined;
  _maxRetries: number | undefined;
  _limits: Promise<typeof import("./limits.js") | undefined> | undefined;
  _active = new Set<Item>();
  _queue: Item[] = [];
  _keys = new Map<string, Item>();
  _adding: Promise<unknown> = Promise.resolve();
  _needsToken?: boolean;
  _totals = new Totals();
  _changed = new Set<Item>();
  _telling: ReturnType<typeof setTimeout> | undefined;
  _open = 0;
  _begunOnce?: boolean;

  constructor(readonly options: Readonly<Options> = {}) {
    super();
    const o = options;
    this._calls = new Calls(o);
    this._pace = new Pace(o, () => this._awake());
    this._sums = new Sums(o.webWorker !== false);
    this._maxRetries = o.maxRetries ?? o.maxChunkRetries;
    this._memory = o.memory;
    // Now, because later the line may be gone; without this part the server decides.
    if (o.maxFiles || o.maxFileSize || o.minFileSize || o.fileType) this._limits = within(import("./limits.js")).catch(() => undefined);
    globalThis.addEventListener?.("online", this._online);
  }

  readonly support = support;

  // Telling.

  /** Something of the item has changed; listeners hear of it soon. */
  _dirty(item: Item): void {
    this._changed.add(item);
    this._telling ??= setTimeout(() => this._tell(), often);
  }
  _tell(): void {
    clearTimeout(this._telling);
    this._telling = undefined;
    const changed = this._changed;
    if (!changed.size) return;
    this._changed = new Set();
    for (const i of changed) this._emit("fileProgress", i);
    this._emit("progress", this.stats());
  }

  // Adding.

  async add(source: Source, about?: AddOptions, origin?: unknown): Promise<Item | undefined> {
    return (await this._add([[source, about]], origin))[0];
  }
  addFile(file: Source, origin?: unknown): Promise<Item | undefined> {
    return this.add(file, undefined, origin);
  }
  addFiles(files: Iterable<Source | readonly [Source, AddOptions?]>, origin?: unknown): Promise<Item[]> {
    return this._add(
      Array.from(files, (f) => [f].flat() as [Source, AddOptions?]),
      origin,
    );
  }

  /** One call after another, so that the order is that of the calls. */
  _add(files: [Source, AddOptions?][], origin?: unknown): Promise<Item[]> {
    const added = this._adding.then(async () => {
      const items: Item[] = [];
      const skipped: Skipped[] = [];
      for (const [file, about = {}] of files) {
        const item = new Item(this, file, about);
        try {
          items.push(await this._take(item, about, origin));
        } catch (e) {
          const error =
            e instanceof Failure ? e : this._error("page", { ...said(e), name: item.name });
          skipped.push({ file, error });
          this._emit("error", error);
        }
      }
      this._emit("filesAdded", items, skipped);
      if (items.length && this.options.autoStart) this.upload();
      this._pump();
      return items;
    });
    this._adding = added.catch(() => {});
    return added;
  }

  async _take(item: Item, about: AddOptions, origin: unknown): Promise<Item> {
    const o = this.options;
    const name = item.name;
    const custom = o.generateUniqueIdentifier ?? o.fingerprint;
    item.key = about.fingerprint ?? (await custom?.(item.file, about)) ?? this._fingerprint(item);
    const known = this._keys.get(item.key);
    if (known) {
      if (known._final === "done" || !known._replace(item.file, about.handle)) throw this._error("duplicate", { name });
      return known;
    }
    if (this._limits) {
      const [code, limit] = (await this._limits)?.exceeded(o, item, this.files.length) ?? [];
      if (code) throw this._error(code, { name, limit: ` (${limit})` });
    }
    if (item._stream) item._pieces = new ((await within(import("./stream.js"))).streaming(Pieces))(item.file as ReadableStream<Uint8Array>);
    this.files.push(item);
    this._keys.set(item.key, item);
    this._queue.push(item);
    this._open++;
    this._emit("fileAdded", item, origin);
    this._dirty(item);
    return item;
  }

  /** Names the upload: the same file gets the same name tomorrow. */
  _fingerprint(item: Item): string {
    const f = item.file as File;
    // Of what has no date, two may look alike and be different.
    const date = f.lastModified ?? Math.random() * 2 ** 53;
    const text = JSON.stringify([item.name, item.path, item.size, date, this._calls._targets[0]]);
    return [this._sums.sum(new TextEncoder().encode(text)).crc, item.size, date].map((n) => n.toString(36)).join("-");
  }

  _error(code: ErrorCode, about: About, final = true): Failure {
    return new Failure(code, this.options.messages, about, final);
  }

  // What people do with all of them.

  upload(): void {
    const before = this.started;
    this.started = true;
    this._needsToken = false;
    if (!before) {
      this._emit("uploadStart");
      if (this._begunOnce) this._emit("resume");
      this._begunOnce = true;
    }
    this._awake();
  }

  pause(): void {
    if (!this.started) return;
    this.started = false;
    for (const i of [...this._active]) i._halt();
    this._emit("pause");
  }
  async cancel(): Promise<void> {
    this._emit("cancel");
    await Promise.all(this.files.filter((i) => !i.isComplete()).map((i) => i.cancel()));
  }
  retry(): void {
    for (const i of [...this.files]) if (/failed|waiting/.test(i.state)) i.retry();
  }
  async removeFile(item: Item): Promise<void> {
    await item.cancel();
    this._drop(item); // one that was done stays on the server
  }
  _drop(item: Item): void {
    const at = this.files.indexOf(item);
    if (at < 0) return;
    this.files.splice(at, 1);
    this._keys.delete(item.key);
    this._changed.delete(item);
    this._emit("fileRemoved", item);
  }

  progress(): number {
    return this.stats().progress;
  }
  stats(): TotalStats {
    return this._totals._of(this.files);
  }
  getSize(): number {
    return this.files.reduce((n, i) => n + Math.max(0, i.size), 0);
  }
  isUploading(): boolean {
    return this.started && this.files.some((i) => i.isUploading());
  }
  getFromUniqueIdentifier(key: string): Item | undefined {
    return this._keys.get(key);
  }
  setToken(token: string | undefined): void {
    this._calls._token = token;
    this._needsToken = false;
    for (const i of [...this.files]) if (i.error?.status === 401) i.retry();
    this._pump();
  }

  // Earlier days.

  /** The part of the program that remembers. Without it nothing is. */
  async _recollection(): Promise<typeof import("./memory.js") | undefined> {
    if (this._memory === null) return undefined;
    const part = await within(import("./memory.js")).catch(() => undefined);
    if (part) this._memory ??= typeof indexedDB === "object" ? new part.Kept(this._calls._kit) : null;
    return part;
  }
  async remembered(): Promise<Remembered[]> {
    return (await this._recollection())?.remembered(this) ?? [];
  }
  async restore(r: Remembered, ask = false): Promise<Item | undefined> {
    return (await this._recollection())?.restore(this, r, ask);
  }
  forget(r: Remembered): void {
    this._keep((m) => m.delete(r.key));
  }
  /** Changes what is remembered, if that is possible. */
  _keep(change: (m: Memory) => void): void {
    try {
      if (this._memory) change(this._memory);
    } catch {
      // Then nothing is remembered.
    }
  }

  close(): void {
    this.started = false;
    for (const i of [...this._active]) i._halt();
    globalThis.removeEventListener?.("online", this._online);
    this._listeners.clear();
    this._sums.close();
  }

  // Work.

  /** Begins as much as may be under way at once. */
  _pump(): void {
    const pace = this._pace;
    while (this.started && !this._needsToken && pace._free) {
      const job = this._job();
      if (!job) return;
      pace._busy++;
      void job().finally(() => {
        pace._busy--;
        this._pump();
      });
    }
  }
  _awake(): void {
    for (const i of this._active) i._update();
    this._pump();
  }

  _job(): (() => Promise<void>) | undefined {
    let preparing = 0;
    for (const i of this._active) {
      const job = i._next();
      if (job) return job;
      if (i._preparing && !i._otherTab) preparing++;
    }
    // What is paused waits in the queue.
    for (let at = 0; at < this._queue.length && preparing < this._pace._limit; ) {
      const i = this._queue[at]!;
      if (i._paused) {
        at++;
        continue;
      }
      this._queue.splice(at, 1);
      if (i._final) continue;
      i._next();
      preparing++;
    }
    return undefined;
  }

  /** An item has come to an end; `open` if it had not before. */
  _ended(i: Item, open: boolean): void {
    this._active.delete(i);
    if (open) this._open--;
    if (i._final === "cancelled") {
      this._needsToken = false; // perhaps it was this one that needed it
      this._drop(i);
    }
    this._dirty(i);
    this._pump();
    if (this._open || !open) return;
    this._tell();
    this._emit("complete");
  }
  _reopen(i: Item): void {
    this._open++;
    if (i._begun) this._active.add(i);
    else this._queue.push(i);
  }

  readonly _online = (): void => {
    for (const i of this._active) i._hold = 0;
    this._pace._release();
  };
}

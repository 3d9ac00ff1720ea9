import { Failure, type About } from "./errors.js";
import { Item } from "./item.js";
import { Meter, eta, now } from "./meter.js";
import { backOff } from "./answer.js";
import { Sums } from "./sums.js";
import { base64 } from "./crc.js";
import { type Answer, send } from "./transport.js";
import type {
  AddOptions, ErrorCode, EventName, Events, Memory, Options, Remembered, Skipped, Source, State, TotalStats, Uploader,
} from "./types.js";

/** Widespread proxies refuse more than 100 MB. */
const mostChunk = 95 << 20;
/** A piece counts as a whole or not at all; on a line that always breaks only small ones arrive. */
const leastOnBadLine = 256 << 10;
/** How long a piece shall take at most, in milliseconds. */
const longPiece = 20_000;
/** Listeners hear of progress no more often, in milliseconds. */
const often = 100;

/** The features without which nothing can be uploaded, that are missing here. */
function lacking(): string[] {
  const g = globalThis as Partial<typeof globalThis>;
  const missing = ["AbortController", "BigInt", "TextEncoder", "performance"].filter((name) => !(name in g));
  if (!g.Blob?.prototype.arrayBuffer) missing.push("Blob.arrayBuffer");
  if (!g.XMLHttpRequest && !g.fetch) missing.push("XMLHttpRequest");
  return missing;
}

type Listener = (...args: any[]) => void;

export class Client implements Uploader {
  static get missing(): readonly string[] {
    return lacking();
  }
  static get support(): boolean {
    return !lacking().length;
  }

  readonly files: Item[] = [];
  started = false;

  _targets: string[];
  _token: string | undefined;
  /** Undefined until it is needed. */
  _memory: Memory | null | undefined;
  readonly _base64 = base64;
  _sums: Sums;
  _maxRetries: number | undefined;
  _active = new Set<Item>();
  _queue: Item[] = [];
  _keys = new Map<string, Item>();
  _listeners = new Map<string, Set<Listener>>();
  _adding: Promise<unknown> = Promise.resolve();

  /** How many connections are in use. */
  _busy = 0;
  _workers: number;
  /** How many may be in use; fewer after trouble. */
  _limit: number;
  _inOrder = 0;
  _chunk: number;
  _mostChunk: number;
  _arrivals = 0;
  /** Until when nothing is begun. */
  _hold = 0;
  _timer: ReturnType<typeof setTimeout> | undefined;
  _failures = 0;
  _lastFailure = 0;
  _needsToken = false;
  _refreshing: Promise<boolean> | undefined;
  /** New tokens since something went well. */
  _refreshes = 0;
  /** The server's time less ours, as last heard, and when by both clocks. */
  _clock: { server: number; at: number } | undefined;
  _meter = new Meter();
  _changed = new Set<Item>();
  _telling: ReturnType<typeof setTimeout> | undefined;
  _open = 0;

  constructor(readonly options: Readonly<Options> = {}) {
    const o = options;
    const target = o.target ?? o.endpoint ?? "/upload/";
    this._targets = (typeof target === "string" ? [target] : [...target]).map((t) => t.replace(/\/*$/, "/"));
    this._workers = this._limit = Math.max(1, o.workers ?? o.simultaneousUploads ?? 4);
    this._chunk = this._mostChunk = Math.floor(Math.min(Math.max(o.chunkSize ?? 6 << 20, 1), mostChunk));
    this._token = o.token;
    this._maxRetries = o.maxRetries ?? o.maxChunkRetries;
    this._sums = new Sums(o.webWorker !== false);
    this._memory = o.memory;
    globalThis.addEventListener?.("online", this._online);
  }

  get support(): boolean {
    return Client.support;
  }
  get missing(): readonly string[] {
    return Client.missing;
  }

  // Events.

  on(event: string, listener: Listener): () => void {
    let all = this._listeners.get(event);
    if (!all) this._listeners.set(event, (all = new Set()));
    all.add(listener);
    return () => this.off(event, listener);
  }
  off(event: string, listener?: Listener): void {
    if (listener) this._listeners.get(event)?.delete(listener);
    else this._listeners.delete(event);
  }
  _emit<E extends EventName>(event: E, ...args: Events[E]): void {
    for (const name of [event, "catchAll"]) {
      for (const f of this._listeners.get(name) ?? []) {
        try {
          f(...(name === event ? args : [event, ...args]));
        } catch (e) {
          setTimeout(() => {
            throw e; // it is the page's, and must not stop the upload
          });
        }
      }
    }
  }

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
    return (await this._add([[source, about ?? {}]], origin))[0];
  }
  addFile(file: Source, origin?: unknown): Promise<Item | undefined> {
    return this.add(file, undefined, origin);
  }
  addFiles(files: Iterable<Source | readonly [Source, AddOptions?]>, origin?: unknown): Promise<Item[]> {
    return this._add(
      Array.from(files, (f) => (Array.isArray(f) ? f : [f]) as [Source, AddOptions?]),
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
            e instanceof Failure ? e : this._error("page", { detail: String((e as Error)?.message ?? e), name: item.name });
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
      if (known.state !== "failed") throw this._error("duplicate", { name });
      known._replace(item.file, about.handle);
      return known;
    }
    if (o.maxFiles || o.maxFileSize || o.minFileSize || o.fileType) {
      const [code, limit] = (await import("./limits.js")).exceeded(o, item, this.files.length) ?? [];
      if (code) throw this._error(code, { name, limit: ` (${limit})` });
    }
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
    const date = f.lastModified ?? Math.random();
    const text = JSON.stringify([item.name, item.path, item.size, date, this._targets[0]]);
    return [this._sums.sum(new TextEncoder().encode(text)).crc, item.size, date].map((n) => n.toString(36).replace(".", "")).join("-");
  }

  _error(code: ErrorCode, about: About = {}): Failure {
    return new Failure(code, this.options.messages, about, true);
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
    for (const i of this._active) i._update();
    this._pump();
  }
  _begunOnce = false;

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
    if (item._final === "done") this._drop(item);
    else await item.cancel();
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
    const states = {} as Record<State, number>;
    for (const s of "queued checking uploading waiting paused verifying done failed cancelled".split(" ")) states[s as State] = 0;
    let size = 0;
    let acknowledged = 0;
    let sent = 0;
    let came = 0;
    for (const i of this.files) {
      states[i.state]++;
      const s = i.sent;
      size += Math.max(i.size, s);
      acknowledged += i.acknowledged;
      sent += s;
      came += s - i.resumedAt;
    }
    const speed = this._open ? this._meter.speed(Math.max(0, came)) : 0;
    const progress = size ? sent / size : this.files.length ? states.done / this.files.length : 0;
    const { done, failed } = states;
    return { files: this.files.length, done, failed, states, size, acknowledged, sent, progress, speed, eta: eta(size - sent, speed) };
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
    this._token = token;
    this._needsToken = false;
    for (const i of [...this.files]) if (i.error?.status === 401) i.retry();
    this._pump();
  }

  // Earlier days.

  /** The part of the program that remembers. Without it nothing is. */
  async _recollection(): Promise<typeof import("./memory.js") | undefined> {
    if (this._memory === null) return undefined;
    const part = await import("./memory.js").catch(() => undefined);
    this._memory ??= part && typeof indexedDB === "object" ? new part.Kept() : null;
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
    clearTimeout(this._timer);
    clearTimeout(this._telling);
    globalThis.removeEventListener?.("online", this._online);
    this._listeners.clear();
    this._sums.close();
  }

  // Requests.

  /** Sends one request for an item. It rejects only if a function of the page does. */
  async _call(
    item: Item,
    method: string,
    extra: Record<string, string> = {},
    body?: Uint8Array<ArrayBuffer>,
    signal: AbortSignal = new AbortController().signal,
    progress?: (n: number) => void,
  ): Promise<Answer> {
    const o = this.options;
    const given = async <T>(x: T | ((i: Item) => T | Promise<T>) | undefined): Promise<T | undefined> =>
      typeof x === "function" ? (x as (i: Item) => T)(item) : x;
    const headers: Record<string, string> = {
      "X-Upload-Fingerprint": item.key + (item._salt && "." + item._salt),
      ...extra,
    };
    if (item.path) headers["X-Upload-Path"] = item.path.split("/").map(encodeURIComponent).join("/");
    if (method === "PUT") headers["Content-Type"] = item.type || "application/octet-stream";
    const token = this._token;
    if (token) headers["Authorization"] = "Bearer " + token;
    Object.assign(headers, await given(o.headers));
    const query = new URLSearchParams(((await given(o.query)) ?? {}) as Record<string, string>).toString();
    const slot = this._inOrder++ % this._targets.length;
    const answer = await send({
      method,
      url: this._targets[slot] + encodeURIComponent(item.name) + (query && "?" + query),
      headers,
      body,
      credentials: !!o.withCredentials,
      timeout: o.timeout ?? 60_000,
      signal,
      progress,
    });
    const date = Date.parse(answer.header("Date") ?? "");
    if (date) this._clock = { server: date - Date.now(), at: Date.now() - now() };
    return { ...answer, token };
  }

  /** By more than five minutes: against the server, or set back since it was heard. */
  _clockIsWrong(): boolean {
    const c = this._clock;
    const wrong = 300_000;
    return !!c && (Math.abs(c.server) > wrong || Date.now() - now() - c.at < -wrong);
  }

  // Work.

  /** Begins as much as may be under way at once. */
  _pump(): void {
    while (this.started && !this._needsToken && now() >= this._hold && this._busy < this._limit) {
      const job = this._job();
      if (!job) return;
      this._busy++;
      void job().finally(() => {
        this._busy--;
        this._pump();
      });
    }
  }

  _job(): (() => Promise<void>) | undefined {
    let preparing = 0;
    for (const i of this._active) {
      const job = i._next();
      if (job) return job;
      if (i._preparing && !i._otherTab) preparing++;
    }
    // What is paused waits in the queue.
    for (let at = 0; at < this._queue.length && preparing < this._limit; ) {
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

  _ended(i: Item): void {
    this._active.delete(i);
    this._open--;
    if (i._final === "cancelled") this._drop(i);
    this._dirty(i);
    this._pump();
    if (this._open > 0) return;
    this._tell();
    this._emit("complete");
  }
  _reopen(i: Item): void {
    this._open++;
    if (i._begun) this._active.add(i);
    else this._queue.push(i);
  }

  /** A piece arrived, in so many milliseconds. */
  _arrived(size: number, ms: number): void {
    if (ms > longPiece && size > leastOnBadLine && size >= this._chunk) {
      this._chunk = Math.max(leastOnBadLine, Math.floor(this._chunk / 2));
      this._arrivals = 0;
    } else if (++this._arrivals >= 4) {
      this._arrivals = 0;
      this._limit = Math.min(this._limit + 1, this._workers);
      if (ms < longPiece / 2) this._chunk = Math.min(this._chunk * 2, this._mostChunk);
    }
  }
  /** A proxy takes less at once. */
  _shrink(n: number): void {
    this._mostChunk = Math.max(Math.min(this._mostChunk, n >> 1), Math.min(64 << 10, this._mostChunk));
    this._chunk = Math.min(this._chunk, this._mostChunk);
  }
  /** The line broke with so many bytes under way. */
  _slow(n: number): void {
    this._arrivals = 0;
    if (n > leastOnBadLine) this._chunk = Math.min(this._chunk, Math.max(leastOnBadLine, n >> 1));
  }

  _good(): void {
    this._failures = this._refreshes = 0;
  }
  _bad(since: number): void {
    if (since && since < this._lastFailure) return;
    this._failures++;
    this._lastFailure = now();
    this._limit = Math.max(1, this._limit >> 1);
    this._arrivals = 0;
  }
  _holdUntil(until: number): void {
    // Each file fails for the first time; what counts is how often all of them did.
    const least = now() + backOff(this._failures + 1, this.options.maxRetryInterval);
    this._hold = Math.max(until, least);
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._release(), this._hold - now());
    for (const i of this._active) i._update();
  }
  _release(): void {
    this._hold = 0;
    clearTimeout(this._timer);
    for (const i of this._active) i._update();
    this._pump();
  }
  readonly _online = (): void => {
    for (const i of this._active) i._hold = 0;
    this._release();
  };

  /** The token that a request had is not valid. */
  _unauthorised(item: Item, about: About, token: string | undefined): void {
    item._asked = false;
    if (token !== this._token) return; // there is a new one already
    this._refreshing ??= this._refresh();
    item._hold = Infinity;
    void this._refreshing.then((refreshed) => {
      item._hold = 0;
      if (refreshed) return item._go();
      this._needsToken = true;
      item._fail("unauthorised", about);
    });
  }
  async _refresh(): Promise<boolean> {
    try {
      const token = this._refreshes++ < 3 ? await this.options.refreshToken?.() : undefined;
      if (!token || token === this._token) return false;
      this._token = token;
      return true;
    } catch {
      return false;
    } finally {
      this._refreshing = undefined;
    }
  }
}

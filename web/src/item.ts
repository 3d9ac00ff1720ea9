import { base64, combine } from "./crc.js";
import { Failure } from "./errors.js";
import { type Extent, missing, parse, total, union } from "./extents.js";
import { Meter, eta, now } from "./meter.js";
import type { Summed } from "./sums.js";
import type { Answer } from "./transport.js";
import type { AddOptions, ErrorCode, Result, Source, State, Stats, UploadItem, WaitingFor } from "./types.js";
import type { Client } from "./uploader.js";
import { type Lock, lock } from "./lock.js";
import { backOff, json, kind, own, retryAfter } from "./answer.js";

/** A run of bytes to send; those of a stream are kept until they are acknowledged. */
interface Piece {
  start: number;
  end: number;
  kept?: Uint8Array<ArrayBuffer>;
}

/** A piece on its way. */
interface Flight extends Piece {
  sent: number;
  stop: AbortController;
  since: number;
}

type Job = () => Promise<void>;

/** So many times in a row bytes may arrive damaged, and an address may be no server's. */
const tries = 5;

/** No server is asked to take less at once, in bytes. */
const least = 64 << 10;

export class Item implements UploadItem {
  declare file: Source;
  declare readonly name: string;
  declare readonly path: string;
  declare readonly type: string;
  declare readonly context: unknown;
  key = "";
  declare size: number;
  state: State = "queued";
  error: Failure | undefined;
  result: Result | undefined;
  resumedAt = 0;
  already = false;
  failures = 0;

  _missing: Extent[] = [];
  _flights = new Set<Flight>();
  /** Checksums and lengths of what was acknowledged, by the first byte. */
  _sums = new Map<number, [crc: bigint, length: number]>();
  /** What was acknowledged since the server was last asked, whose answer may be older. */
  _fresh: Extent[] = [];
  _redo: Piece[] = [];
  _reading = false;
  _reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  _rest: Uint8Array | undefined;
  _at = 0;

  _begun = false;
  _preparing = false;
  _ready = false;
  _asked = false;
  _asking = false;
  _paused = false;
  _otherTab = false;
  _final: State | undefined;
  _finishing = false;
  _hold = 0;
  _timer: ReturnType<typeof setTimeout> | undefined;
  _lastFailure = 0;
  _damaged = 0;
  _polls = 0;
  _scattered = false;
  _salt = "";
  _handle: FileSystemFileHandle | undefined;
  _lock: Lock | undefined;
  _meter = new Meter();
  _round = 0;

  constructor(
    readonly uploader: Client,
    file: Source,
    about: AddOptions,
  ) {
    const f = file as File;
    this.file = file;
    this.path = legible(about.path ?? f.webkitRelativePath ?? "").replace(/^\/+/, "");
    this.name = legible(about.name ?? f.name ?? "blob").replace(/\//g, "_") || "blob";
    this.type = about.type ?? f.type ?? "";
    this.context = about.context;
    this._handle = about.handle;
    this.size = isStream(file) ? -1 : f.size;
    this._missing = union([[0, this.size]]);
  }

  get fileName(): string {
    return this.name;
  }
  get relativePath(): string {
    return this.path || this.name;
  }
  get uniqueIdentifier(): string {
    return this.key;
  }

  // How far it is.

  get acknowledged(): number {
    if (this._final === "done") return this.size;
    let n = isStream(this.file) ? this._at : this.size - total(this._missing);
    for (const p of [...this._redo, ...this._flights]) n -= p.end - p.start;
    return n;
  }
  get sent(): number {
    let n = this.acknowledged;
    for (const f of this._flights) n += f.sent;
    return n;
  }
  get speed(): number {
    return this.state === "uploading" || this.state === "checking" ? this._meter.speed(this.sent) : 0;
  }
  get eta(): number | undefined {
    return this._final === "done" ? 0 : this.size < 0 ? undefined : eta(this.size - this.sent, this.speed);
  }
  progress(): number {
    if (this._final === "done") return 1;
    return this.size > 0 ? this.sent / this.size : 0;
  }
  stats(): Stats {
    const { acknowledged, sent, speed, eta } = this;
    return { size: Math.max(this.size, sent), acknowledged, sent, progress: this.progress(), speed, eta };
  }
  isUploading(): boolean {
    return this._begun && !this._final && !this._paused;
  }
  isComplete(): boolean {
    return this._final === "done";
  }
  isPaused(): boolean {
    return this.state === "paused";
  }
  get waitingFor(): WaitingFor | undefined {
    if (this.state !== "waiting") return undefined;
    return this._otherTab ? "tab" : this.error?.code === "offline" ? "offline" : "retry";
  }
  retryIn(): number | undefined {
    return this.waitingFor === "retry" ? Math.max(0, this._until() - now()) : undefined;
  }
  get retryAt(): number | undefined {
    const left = this.retryIn();
    return left === undefined ? undefined : Date.now() + left;
  }
  _until(): number {
    return Math.max(this._hold, this.uploader._hold);
  }
  _pieces(): Extent[] {
    return Array.from(this._flights, (f) => [f.start, f.end]);
  }

  // What people do with it.

  pause(): void {
    if (this._final) return;
    this._paused = true;
    this._halt();
  }
  abort(): void {
    this.pause();
  }
  resume(): void {
    this._paused = false;
    if (!this.uploader.started) this.uploader.upload();
    this._go();
  }
  retry(): void {
    if (this._final === "done" || this._final === "cancelled") return;
    const error = this.error;
    if (this._final) {
      this._final = undefined;
      this._ready = this._asked = false;
      if (error && (error.code === "changed" || error.code === "mismatch")) this._anew();
      this.uploader._reopen(this);
    }
    this.error = undefined;
    this.failures = this._damaged = 0;
    this._hold = 0;
    this.uploader._needsToken = false;
    this.uploader._release();
    this._paused = false;
    if (!this.uploader.started) this.uploader.upload();
    this._go();
  }
  async cancel(): Promise<void> {
    if (this._final === "cancelled") return;
    const there = this._begun && !this._otherTab && this._final !== "done";
    this._end("cancelled");
    if (there) await this.uploader._call(this, "DELETE").catch(() => {});
  }

  /** Begins under another name on the server, where the old one is another file. */
  _anew(): void {
    void this.uploader._call(this, "DELETE").catch(() => {});
    this._salt = Date.now().toString(36);
    this._missing = union([[0, this.size]]);
    this._sums.clear();
    this.uploader._keep((m) => m.delete(this.key));
  }

  /** A file that was chosen again in place of one that cannot be read any more. */
  _replace(file: Source, handle?: FileSystemFileHandle): void {
    this.file = file;
    if (handle) this._handle = handle;
    if (this._final === "failed") this.retry();
  }

  // The machine.

  /** What is to be done next, if anything can be. */
  _next(): Job | undefined {
    if (this._final || this._paused || this._finishing || this._asking || now() < this._hold) return undefined;
    if (!this._begun) {
      this._begun = true;
      this.uploader._active.add(this);
    }
    if (!this._ready) {
      if (!this._preparing) void this._prepare();
      return undefined;
    }
    if (!this._asked) return this._job(() => this._ask());
    const p = this._take();
    if (p) return this._job(() => this._send(p));
    // All was acknowledged, but nobody said that the file is whole.
    const streaming = this.size < 0 || this._reading;
    if (!this._flights.size && !streaming && !this._missing.length) return this._job(() => this._ask());
    return undefined;
  }

  _job(f: () => Promise<void>): Job {
    return async () => {
      try {
        await f();
      } catch (e) {
        this._fail("page", { detail: String((e as Error)?.message ?? e) });
      }
      this._unlockIfIdle();
      this._update();
    };
  }

  /** Gets the lock of the file, and what is remembered of it. */
  async _prepare(): Promise<void> {
    this._preparing = true;
    const round = ++this._round;
    this._update();
    try {
      if (this.size >= 0 && !this._lock) {
        const l = lock("muleteer " + this.key, () => {
          this._otherTab = true;
          this._asked = false;
          this._scattered = true;
          this.error = this._error("tab");
          this._update();
          this.uploader._pump();
        });
        this._lock = l;
        if (!(await l.held)) return; // it was given up while waiting
      }
      if (this._otherTab) {
        this._otherTab = false;
        this.error = undefined;
      }
      await this._recall();
      // A file of one piece goes without a question: a server that has it only drops it.
      if (round === this._round && !this._final) {
        this._ready = true;
        this._asked = this.size <= this.uploader._chunk && !this._begunBefore();
      }
    } catch (e) {
      this._fail("unreadable", { detail: String((e as Error)?.message) });
    } finally {
      this._preparing = false;
      this._update();
      this.uploader._pump();
    }
  }

  _begunBefore(): boolean {
    return this._scattered || this._sums.size > 0 || this.failures > 0 || !!this._salt;
  }

  /** Compares the file with what an earlier day remembered, and remembers it. */
  async _recall(): Promise<void> {
    if (this.size < 0 || (this.size <= this.uploader._chunk && !this._handle)) return;
    await (await this.uploader._recollection())?.recall(this);
  }

  /** Asks the server what it has. */
  async _ask(): Promise<void> {
    this._asking = true;
    this._fresh = [];
    this._update();
    const stop = new AbortController();
    const f: Flight = { start: 0, end: 0, sent: 0, stop, since: now() };
    this._flights.add(f);
    try {
      let a = await this._answered(f, "PUT", { "Content-Range": `bytes */${this.size < 0 ? "*" : this.size}` });
      let ranges = a.header("X-Upload-Ranges") ?? a.header("Range") ?? "";
      if (ranges.length > 2500 || (a.status === 503 && own(a))) {
        // A header takes no more than some ranges, and a busy server may be
        // finishing the file: the document tells.
        const b = await this._answered(f, "GET");
        const d = b.status === 200 && json(b);
        if (d && d.state !== "receiving") a = b;
        else if (d) ranges = d.ranges ?? ranges;
      }
      if (stop.signal.aborted || this._final) return;
      const unknown = a.status === 404 && own(a);
      if (!unknown && (a.status !== 308 || a.header("Location"))) return await this._heard(a, undefined);
      const nothingNew = !this._missing.length;
      this._stands(parse(unknown ? "" : ranges));
      this._good(f);
      // All bytes are there: the server is finishing the file.
      if (nothingNew && !this._missing.length && this.size >= 0) this._poll();
    } finally {
      this._flights.delete(f);
      this._asking = false;
    }
  }

  _answered(f: Flight, method: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.uploader._call(this, method, headers, undefined, f.stop.signal);
  }

  /** The server has these bytes and no others. */
  _stands(here: Extent[]): void {
    const first = !this._asked;
    this._asked = true;
    if (this.size < 0 || isStream(this.file)) {
      if (total(here) < this.acknowledged) this._fail("stream");
      return;
    }
    this._missing = missing([...here, ...this._fresh, ...this._pieces()], this.size);
    for (const [a, b] of this._missing) {
      for (const [at, [, n]] of this._sums) if (at < b && at + n > a) this._sums.delete(at);
    }
    if (first && !this._sums.size && !this.resumedAt) this.resumedAt = total(here);
    this._meter.start(this.sent);
  }

  /** The next piece. Pieces end where they would without a break, because stores like it so. */
  _take(): Piece | undefined {
    const p = this._redo.shift();
    if (p) return this._cut(p);
    if (isStream(this.file)) {
      if (this.size >= 0 || this._reading) return this.size === 0 && !this._flights.size ? { start: 0, end: 0 } : undefined;
      this._reading = true;
      return { start: -1, end: -1 };
    }
    if (this.size === 0) return this._flights.size ? undefined : { start: 0, end: 0 };
    const n = this.uploader._chunk;
    const i = this._scattered ? Math.floor(Math.random() * this._missing.length) : 0;
    const e = this._missing[i];
    if (!e) return undefined;
    let [start, end] = e;
    if (this._scattered) start = Math.max(start, Math.floor((start + Math.random() * (end - start)) / n) * n);
    end = Math.min(end, (Math.floor(start / n) + 1) * n);
    this._missing.splice(i, 1, ...union([[e[0], start], [end, e[1]]]));
    return { start, end };
  }

  /** A kept piece, cut to what goes through now. */
  _cut(p: Piece): Piece {
    const n = this.uploader._chunk;
    if (!p.kept || p.end - p.start <= n) return p;
    const at = p.start + n;
    this._redo.unshift({ start: at, end: p.end, kept: p.kept.slice(n) });
    return { start: p.start, end: at, kept: p.kept.slice(0, n) };
  }

  _giveBack(p: Piece): void {
    if (p.start < 0) return;
    if (isStream(this.file)) {
      if (p.kept) this._redo.push({ start: p.start, end: p.end, kept: p.kept });
    } else this._missing = union([...this._missing, [p.start, p.end]]);
  }

  /** Sends one piece. */
  async _send(p: Piece): Promise<void> {
    const f: Flight = { ...p, sent: 0, stop: new AbortController(), since: now() };
    let s: Summed;
    if (f.start >= 0) this._flights.add(f);
    this._update();
    try {
      s = f.start < 0 ? await this._read(f) : f.kept || f.start === f.end ? this.uploader._sums.sum(f.kept ?? new Uint8Array()) : await this._slice(f);
    } catch (e) {
      this._flights.delete(f);
      this._giveBack(f);
      const detail = String((e as Error)?.message ?? e);
      if (!f.stop.signal.aborted) this._fail(isStream(this.file) ? "stream" : "unreadable", { detail });
      return;
    }
    if (f.start < 0 || (f.start === f.end && this.size !== 0)) return; // the stream ended, or was left
    const crc = "crc64nvme " + base64(s.crc);
    const headers: Record<string, string> = { "X-Upload-Checksum": crc };
    if (f.end > f.start) headers["Content-Range"] = `bytes ${f.start}-${f.end - 1}/${this.size < 0 ? "*" : this.size}`;
    f.since = now();
    const a = await this.uploader._call(this, "PUT", headers, s.bytes, f.stop.signal, (n) => {
      f.sent = Math.min(n, f.end - f.start);
      this._update();
      this.uploader._dirty(this);
    });
    this._flights.delete(f);
    if (f.stop.signal.aborted || this._final) return this._giveBack(f);
    const theirs = a.header("X-Upload-Checksum");
    if ((a.status === 308 || a.status < 300) && theirs && theirs !== crc) {
      return this._trouble({ ...a, status: 460 }, f);
    }
    await this._heard(a, f, s.crc);
  }

  async _slice(f: Piece): Promise<Summed> {
    const s = await this.uploader._sums.read((this.file as Blob).slice(f.start, f.end));
    if (s.bytes.length !== f.end - f.start) throw new Error("the file became shorter");
    return s;
  }

  /** Reads the next piece of the stream. */
  async _read(f: Flight): Promise<Summed> {
    try {
      const bytes = new Uint8Array(this.uploader._chunk);
      let n = 0;
      this._reader ??= (this.file as ReadableStream<Uint8Array>).getReader();
      while (n < bytes.length && this.size < 0) {
        if (!this._rest?.length) {
          const { done, value } = await this._reader.read();
          if (done) this.size = this._at + n;
          else this._rest = value;
          if (done) break;
        }
        const part = this._rest!.subarray(0, bytes.length - n);
        bytes.set(part, n);
        n += part.length;
        this._rest = this._rest!.subarray(part.length);
      }
      f.start = this._at;
      f.end = this._at += n;
      f.kept = bytes.slice(0, n);
      if (this._final || this._paused || !this.uploader.started) f.stop.abort();
      if (n) this._flights.add(f);
      return this.uploader._sums.sum(f.kept);
    } finally {
      this._reading = false;
      this.uploader._pump();
    }
  }

  /** What an answer to a piece, or to the question, has come to. */
  async _heard(a: Answer, f: Flight | undefined, crc?: bigint): Promise<void> {
    const whole = a.status < 300 ? json(a) : undefined;
    const more = a.status === 308 && !a.header("Location");
    if (!whole && !more) return this._trouble(a, f);
    if (f && crc !== undefined) {
      if (f.end > f.start) {
        this._sums.set(f.start, [crc, f.end - f.start]);
        this._fresh.push([f.start, f.end]);
      }
      this.uploader._arrived(f.end - f.start, now() - f.since);
      this.uploader._dirty(this);
    }
    this._good(f);
    if (!whole) return f && f.start === f.end ? this._poll() : undefined;
    this._asked = true;
    // A file that is held until somebody accepts it is not done.
    if (whole.state !== "done") {
      this._missing = [];
      return this._poll();
    }
    if (!f && !this._sums.size) {
      this.already = true;
      this.resumedAt = this.size;
    }
    this._finish(whole);
  }

  /** Asks again soon, and then less often. */
  _poll(): void {
    this._wait(backOff(++this._polls, 5000));
  }

  _good(f: Flight | undefined): void {
    if (f && f.since < this._lastFailure) return;
    this.failures = this._damaged = 0;
    this.error = undefined;
    this.uploader._good();
  }

  /** Compares the finished file with what was sent. */
  _finish(r: Result): void {
    this._finishing = true;
    this._stop();
    this._missing = [];
    this._update();
    if (this.size >= 0 && r.size !== this.size) return this._fail("mismatch");
    const pieces = [...this._sums].sort((x, y) => x[0] - y[0]);
    let at = 0;
    for (const [start, [, n]] of pieces) at = start === at ? at + n : -1;
    if (at === this.size && r.crc64nvme && r.crc64nvme !== base64(combine(pieces.map((p) => p[1])))) {
      return this._fail("mismatch");
    }
    this.result = r;
    this.uploader._keep((m) => m.delete(this.key));
    this._end("done", () => this.uploader._emit("fileSuccess", this, r));
  }

  // Trouble.

  _error(code: ErrorCode, about = {}, final = false): Failure {
    return new Failure(code, this.uploader.options.messages, { name: this.name, ...about }, final);
  }

  /** Decides what an answer means that is neither yes nor "more". */
  _trouble(a: Answer, f: Flight | undefined): void {
    if (f) this._giveBack(f);
    if (this._final) return;
    const up = this.uploader;
    const problem = own(a);
    const about = { status: a.status, detail: problem?.detail ?? "" };
    const n = f ? f.end - f.start : 0;
    // A bad request of which nothing more is said came here in pieces.
    let code = a.status === 400 && problem && !problem.detail ? "network" : kind(a);
    if (a.status === 413 && !problem && f) {
      if (n <= least) return this._fail("too-large-chunk", about);
      return up._shrink(n);
    }
    if (a.status === 409 && problem) {
      if (/other bytes|sizes/.test(about.detail)) return this._fail(isStream(this.file) ? "stream" : "changed", about);
      // Somebody else sends the same bytes: keep out of each other's way.
      this._scattered = true;
    }
    if (code === "network") {
      if (globalThis.navigator?.onLine === false) code = "offline";
      else if (up._clockIsWrong()) code = "clock";
      if (n) up._slow(n);
    }
    if (a.status === 401) return up._unauthorised(this, about, a.token);
    const sameTrouble = f && f.since < this._lastFailure;
    if (!sameTrouble) {
      this.failures++;
      this._lastFailure = now();
      if (code === "damaged") this._damaged++;
    }
    const e = this._error(code, about);
    // A proxy without its server behind it says such things too.
    const perhaps = !problem && (code === "not-found" || code === "refused");
    const max = perhaps ? tries : (up._maxRetries ?? Infinity);
    if ((!e.passing && !perhaps) || this.failures > max || this._damaged >= tries) return this._fail(code, about);
    this.error = e;
    if (code !== "damaged") this._asked = false;
    const after = retryAfter(a);
    // What concerns all files holds all of them; another one's answer may be another one.
    const all = /offline|network|clock|foreign|full|slow-down/.test(code);
    if (!sameTrouble) this._wait(after ?? backOff(this.failures, up.options.maxRetryInterval), all || up._failures > 2);
    up._bad(f?.since ?? 0);
    if (!sameTrouble) up._emit("fileRetry", this, e);
    this._update();
  }

  /** Nothing is begun for so many milliseconds, by this one or by all. */
  _wait(ms: number, all = false): void {
    const until = now() + ms;
    if (all) return this.uploader._holdUntil(this.error!.code === "offline" ? now() + 30_000 : until);
    this._hold = until;
    clearTimeout(this._timer);
    this._timer = setTimeout(() => {
      this._hold = 0; // timers may be early
      this._go();
    }, ms);
    this._update();
  }

  _fail(code: ErrorCode, about = {}): void {
    if (this._final) return;
    this.error = this._error(code, about, true);
    const e = this.error;
    this._end("failed", () => {
      this.uploader._emit("fileError", this, e);
      this.uploader._emit("error", e, this);
    });
  }

  // States.

  _go(): void {
    this._update();
    this.uploader._pump();
  }

  /** Ends what is on its way; nothing more is sent. */
  _stop(): void {
    for (const f of this._flights) {
      f.stop.abort();
      f.sent = 0;
    }
  }

  _halt(): void {
    if (this._otherTab || this._preparing) {
      this._lock?.release();
      this._lock = undefined;
      this._otherTab = false;
      this._round++;
    }
    this._stop();
    this._asked = this._asked && !this._flights.size;
    this._unlockIfIdle();
    this._update();
  }

  _end(state: "done" | "failed" | "cancelled", tell?: () => void): void {
    if (this._final) return;
    this._final = state;
    this._finishing = false;
    clearTimeout(this._timer);
    this._halt();
    if (state !== "failed") {
      void this._reader?.cancel().catch(() => {});
      this._redo = [];
    }
    if (state === "cancelled") this.uploader._keep((m) => m.delete(this.key));
    tell?.();
    this.uploader._ended(this);
  }

  /** Another tab may go on where this one does nothing. */
  _unlockIfIdle(): void {
    if (!this._lock || this._flights.size || (!this._final && !this._resting())) return;
    this._lock.release();
    this._lock = undefined;
    this._ready = false;
  }

  _resting(): boolean {
    return this._paused || !this.uploader.started;
  }

  /** Computes the state from what is the case, and tells if it has changed. */
  _update(): void {
    const before = this.state;
    const state = this._now();
    if (state === before) return;
    this.state = state;
    this.uploader._emit("fileState", this, before);
    this.uploader._dirty(this);
  }

  _now(): State {
    if (this._final) return this._final;
    if (this._finishing) return "verifying";
    if (this._paused || (this._begun && this._resting())) return "paused";
    if (!this._begun) return "queued";
    if (this._otherTab) return "waiting";
    if (!this._ready) return "checking";
    const waits = now() < this._until();
    const allAcknowledged = this._asked && this.size > 0 && !this._missing.length;
    if (waits && this.error && (!this._flights.size || this._asking)) return "waiting";
    if (allAcknowledged && this.sent >= this.size) return "verifying";
    return this._asked ? "uploading" : this._flights.size > 1 || this.acknowledged ? "uploading" : "checking";
  }
}

const isStream = (s: Source): s is ReadableStream<Uint8Array> => "getReader" in s;

/** Replaces what no server takes: control characters and halves of characters. */
const legible = (s: string): string => s.replace(/[\p{Cc}\p{Cs}]/gu, "_");

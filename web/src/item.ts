import { type Failure, said } from "./errors.js";
import { send } from "./flight.js";
import { type Lock, lock } from "./lock.js";
import { Meter, eta, now } from "./meter.js";
import { Pieces } from "./pieces.js";
import { ask } from "./question.js";
import type { AddOptions, ErrorCode, Result, Source, State, Stats, UploadItem, WaitingFor } from "./types.js";
import type { Client } from "./uploader.js";

type Job = () => Promise<void>;

export class Item implements UploadItem {
  declare file: Source;
  declare readonly name: string;
  declare readonly path: string;
  declare readonly type: string;
  declare readonly context: unknown;
  key = "";
  state: State = "queued";
  error: Failure | undefined;
  result: Result | undefined;
  resumedAt = 0;
  already = false;
  failures = 0;

  declare _pieces: Pieces;
  declare _stream: boolean;
  _begun?: boolean;
  _preparing?: boolean;
  _ready?: boolean;
  _asked?: boolean;
  _asking?: boolean;
  _paused?: boolean;
  _otherTab?: boolean;
  _final: State | undefined;
  _finishing?: boolean;
  _hold = 0;
  _timer: ReturnType<typeof setTimeout> | undefined;
  _lastFailure = 0;
  _damaged = 0;
  /** Answers in a row that no server of ours gives. */
  _strange = 0;
  _polls = 0;
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
    this._stream = "getReader" in file;
    this._pieces = new Pieces(this._stream ? -1 : f.size); // those of a stream come later
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

  /** What the server calls it. */
  get _print(): string {
    return this.key + (this._salt && "." + this._salt);
  }

  // How far it is.

  get size(): number {
    return this._pieces._size;
  }
  get acknowledged(): number {
    return this.isComplete() ? this.size : this._pieces._acknowledged;
  }
  get sent(): number {
    return this.isComplete() ? this.size : this._pieces._sent;
  }
  get speed(): number {
    return this.state === "uploading" ? this._meter.speed(this.sent) : 0;
  }
  get eta(): number | undefined {
    return this.isComplete() ? 0 : this.size < 0 ? undefined : eta(this.size - this.sent, this.speed);
  }
  progress(): number {
    return this.size > 0 ? this.sent / this.size : +this.isComplete();
  }
  stats(): Stats {
    const { acknowledged, sent, speed, eta } = this;
    return { size: Math.max(this.size, sent), acknowledged, sent, progress: this.progress(), speed, eta };
  }
  isUploading(): boolean {
    return !!this._begun && !this._final && !this._paused;
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
    return this.waitingFor === "retry" ? Date.now() + this.retryIn()! : undefined;
  }
  _until(): number {
    return Math.max(this._hold, this.uploader._pace._hold);
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
    if (/done|cancelled/.test(this.state)) return;
    const error = this.error;
    if (this._final) {
      this._final = undefined;
      this._ready = this._asked = false;
      if (error && /changed|mismatch/.test(error.code)) this._anew();
      this.uploader._reopen(this);
    }
    this.error = undefined;
    this.failures = this._damaged = this._strange = 0;
    this._hold = 0;
    this.uploader._needsToken = false;
    this.uploader._pace._release();
    this._paused = false;
    if (!this.uploader.started) this.uploader.upload();
    this._go();
  }
  async cancel(): Promise<void> {
    if (/done|cancelled/.test(this.state)) return;
    const there = this._begun && !this._otherTab;
    this._end("cancelled");
    if (there) await this._remove();
  }

  /** Removes what the server has. */
  async _remove(): Promise<void> {
    const name = this._print;
    await import("./removal.js").then((part) => part.remove(this, name), () => {});
  }

  /** Begins under another name on the server, where the old one is another file. */
  _anew(): void {
    void this._remove();
    this._salt = Date.now().toString(36);
    this._pieces._anew();
    this.uploader._keep((m) => m.delete(this.key));
  }

  /** A file was chosen again, perhaps because the old one cannot be read any more. True if that helps. */
  _replace(file: Source, handle?: FileSystemFileHandle): boolean {
    this.file = file;
    if (handle) this._handle = handle;
    if (this._final !== "failed") return false;
    this.retry();
    return true;
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
    if (!this._asked) return this._job(() => ask(this));
    const p = this._pieces._take(this.uploader._pace._chunk);
    if (p) return this._job(() => send(this, p));
    if (this.size < 0) {
      this._pieces._more(this.uploader._pace._chunk)?.then(
        () => this._go(),
        (e) => this._fail("stream", said(e)),
      );
    }
    // All was acknowledged, but nobody said that the file is whole.
    return this._pieces._over ? this._job(() => ask(this)) : undefined;
  }

  _job(f: () => Promise<void>): Job {
    return async () => {
      try {
        await f();
      } catch (e) {
        this._fail("page", said(e));
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
          this._pieces._scattered = true;
          this.error = this._error("tab");
          this._go();
        });
        this._lock = l;
        if (!(await l.held)) return; // it was given up while waiting
      }
      if (this._otherTab) this.error = undefined;
      this._otherTab = false;
      const { _blind, _scattered, _sums } = this._pieces;
      const small = this.size <= this.uploader._pace._chunk;
      if (!this._stream && (!small || this._handle)) await (await this.uploader._recollection())?.recall(this);
      // A file of one piece goes without a question: a server that has it only drops it.
      if (round === this._round && !this._final) {
        this._ready = true;
        this._asked = !(_scattered || _sums.size || this.failures || this._salt) && (small || _blind);
      }
    } catch (e) {
      this._fail("unreadable", said(e));
    } finally {
      this._preparing = false;
      this._go();
    }
  }

  // Trouble.

  _error(code: ErrorCode, about = {}, final = false): Failure {
    return this.uploader._error(code, { name: this.name, ...about }, final);
  }

  /** Nothing is begun for so many milliseconds, by this one or by all. */
  _wait(ms: number, all = false): void {
    const until = now() + ms;
    if (all) return this.uploader._pace._holdUntil(this.error!.code === "offline" ? now() + 30_000 : until);
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

  _halt(): void {
    if (this._otherTab || this._preparing) {
      this._lock?.release();
      this._lock = undefined;
      this._otherTab = false;
      this._round++;
    }
    this._pieces._stop();
    this._asked = this._asked && !this._pieces._flights.size;
    this._unlockIfIdle();
    this._update();
  }

  _end(state: "done" | "failed" | "cancelled", tell?: () => void): void {
    const open = !this._final;
    if (!open && (state !== "cancelled" || this._final === "done")) return;
    this._final = state;
    this._finishing = false;
    clearTimeout(this._timer);
    this._halt();
    if (state !== "failed") this._pieces._leave();
    if (state === "cancelled") this.uploader._keep((m) => m.delete(this.key));
    tell?.();
    this.uploader._ended(this, open);
  }

  /** Another tab may go on where this one does nothing. */
  _unlockIfIdle(): void {
    if (!this._lock || this._pieces._flights.size || (!this._final && !this._resting())) return;
    this._lock.release();
    this._lock = undefined;
    this._ready = false;
  }

  _resting(): boolean {
    return !!this._paused || !this.uploader.started;
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
    if (waits && this.error && (!this._pieces._flights.size || this._asking)) return "waiting";
    if (this._asked && this.size > 0 && this.sent >= this.size) return "verifying";
    return this._asked || this._pieces._flights.size > 1 || this.acknowledged ? "uploading" : "checking";
  }
}

/** Replaces what no server takes: control characters and halves of characters. */
const legible = (s: string): string => s.replace(/[\p{Cc}\p{Cs}]/gu, "_");

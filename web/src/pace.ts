// How much at once: what the line gives, found by trying.

import { backOff } from "./answer.js";
import { now } from "./meter.js";
import type { Options } from "./types.js";

/** Widespread proxies refuse more than 100 MB. */
const mostChunk = 95 << 20;
/** A piece counts as a whole or not at all; on a line that always breaks only small ones arrive. Smaller ones help nobody. */
export const least = 64 << 10;
/** After so many pieces, larger ones are tried again where somebody refused them. */
const calm = 400;

export class Pace {
  /** How many connections are in use. */
  _busy = 0;
  _workers: number;
  /** How many may be in use; fewer after trouble. */
  _limit: number;
  _chunk: number;
  _mostChunk: number;
  _wanted: number;
  _arrivals = 0;
  _calm = 0;
  /** Until when nothing is begun. */
  _hold = 0;
  _timer: ReturnType<typeof setTimeout> | undefined;
  _failures = 0;
  _lastFailure = 0;
  _options: Options;
  _changed: () => void;

  /** Calls `changed` when a wait has begun or ended. */
  constructor(o: Options, changed: () => void) {
    this._workers = this._limit = Math.max(1, o.workers ?? o.simultaneousUploads ?? 4);
    this._chunk = this._mostChunk = this._wanted = Math.floor(Math.min(Math.max(o.chunkSize ?? 6 << 20, 1), mostChunk));
    this._options = o;
    this._changed = changed;
  }

  /** One more request may be begun. */
  get _free(): boolean {
    return now() >= this._hold && this._busy < this._limit;
  }

  /** A piece arrived, in so many milliseconds. */
  _arrived(size: number, ms: number): void {
    const { cell = 0, patience = 20_000 } = this._options.send ?? {};
    if (cell > this._wanted) this._mostChunk = this._wanted = cell;
    if (++this._calm >= calm) {
      this._calm = 0;
      this._mostChunk = Math.min(this._mostChunk * 2, this._wanted);
    }
    if (ms > patience && size > least && size >= this._chunk) {
      this._slow(this._chunk);
    } else if (++this._arrivals >= 4) {
      this._arrivals = 0;
      this._limit = Math.min(this._limit + 1, this._workers);
      if (ms < patience / 2) this._chunk = Math.min(this._chunk * 2, this._mostChunk);
    }
  }
  /** A proxy takes less at once. */
  _shrink(n: number): void {
    this._calm = 0;
    this._slow(n);
    this._mostChunk = Math.min(this._mostChunk, Math.max(least, n >> 1));
  }
  /** The line broke with so many bytes under way, or they took too long. */
  _slow(n: number): void {
    this._arrivals = 0;
    this._chunk = Math.min(this._chunk, Math.max(least, n >> 1));
  }
  /** A request that was begun then has failed. */
  _bad(since: number): void {
    if (since && since < this._lastFailure) return;
    this._failures++;
    this._lastFailure = now();
    this._limit = Math.max(1, this._limit >> 1);
    this._arrivals = 0;
  }

  _holdUntil(until: number): void {
    // Each file fails for the first time; what counts is how often all of them did.
    this._hold = Math.max(until, now() + backOff(this._failures + 1, this._options.maxRetryInterval));
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._release(), this._hold - now());
    this._changed();
  }
  _release(): void {
    this._hold = 0;
    clearTimeout(this._timer);
    this._changed();
  }
}

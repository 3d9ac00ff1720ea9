// What of one file is missing, what is on its way, and what was acknowledged.

import { base64, combine } from "./crc.js";
import { now } from "./meter.js";
import { type Extent, missing, total, union } from "./extents.js";

/** A run of bytes to send; those of a stream are kept until they are acknowledged. */
export interface Piece {
  start: number;
  end: number;
  kept?: Uint8Array<ArrayBuffer>;
}

/** A piece on its way. */
export interface Flight extends Piece {
  sent: number;
  stop: AbortController;
  since: number;
}

export class Pieces {
  /** What is neither acknowledged nor on its way. */
  _missing: Extent[] = [];
  _flights = new Set<Flight>();
  /** Checksums and lengths of what was acknowledged, by the first byte. */
  _sums = new Map<number, [crc: bigint, length: number]>();
  /** What was acknowledged since the server was last asked, whose answer may be older. */
  _fresh: Extent[] = [];
  /** Others send the same file: begin somewhere, so that the ways do not cross. */
  _scattered?: boolean;
  /** Send without asking first what is here. */
  declare _blind?: boolean;
  /** Set when the server took bytes that are not ours. */
  _spoilt: string | undefined;
  /** -1 as long as nobody knows. */
  _size: number;

  constructor(size: number) {
    this._size = size;
    this._anew();
  }

  /** Nothing is acknowledged any more. */
  _anew(): void {
    this._missing = union([[0, this._size]]);
    this._sums.clear();
    this._spoilt = undefined;
  }

  get _acknowledged(): number {
    let n = this._size - total(this._missing);
    for (const f of this._flights) n -= f.end - f.start;
    return n;
  }
  get _sent(): number {
    let n = this._acknowledged;
    for (const f of this._flights) n += f.sent;
    return n;
  }
  /** Nothing is left but to hear that the file is whole. */
  get _over(): boolean {
    return this._size >= 0 && !this._flights.size && !this._missing.length;
  }

  /**
   * The next piece of at most n bytes. Pieces of files end where they would
   * without a break, because stores like it so. That of an empty file is empty.
   */
  _take(n: number): Piece | undefined {
    if (!this._size) return this._flights.size ? undefined : { start: 0, end: 0 };
    const somewhere = this._scattered ? Math.random() : 0;
    const i = Math.floor(somewhere * this._missing.length);
    if (!this._missing[i]) return undefined;
    const [a, b] = this._missing[i];
    const grid = Math.floor((a + somewhere * (b - a)) / n) * n;
    const start = Math.max(a, grid);
    const end = Math.min(b, grid + n);
    this._missing.splice(i, 1, ...union([[a, start], [end, b]]));
    return { start, end };
  }

  /** A piece has not arrived. */
  _giveBack(p: Piece): void {
    this._missing = union([...this._missing, [p.start, p.end]]);
  }

  /** A piece is on its way; that of a question is empty. */
  _fly(p: Piece): Flight {
    const f = { ...p, sent: 0, stop: new AbortController(), since: now() };
    this._flights.add(f);
    return f;
  }

  _arrived(p: Piece, crc: bigint): void {
    if (p.end === p.start) return;
    this._sums.set(p.start, [crc, p.end - p.start]);
    this._fresh.push([p.start, p.end]);
  }

  /** The server has these bytes of the file, and no others. False if those that it lost cannot be had again. */
  _stands(here: Extent[]): boolean {
    const flying = Array.from(this._flights, (f): Extent => [f.start, f.end]);
    this._missing = missing([...here, ...this._fresh, ...flying], this._size);
    for (const [a, b] of this._missing) {
      for (const [at, [, n]] of this._sums) if (at < b && at + n > a) this._sums.delete(at);
    }
    return true;
  }

  /** Gets more to take where the size is not known; undefined if that is being done. */
  _more(_n: number): Promise<void> | undefined {
    return undefined;
  }
  /** Nothing more is wanted. */
  _leave(): void {}

  /** Ends what is on its way. */
  _stop(): void {
    for (const f of this._flights) {
      f.stop.abort();
      f.sent = 0;
    }
  }

  /** The checksum of the whole file, if all of it was sent from here. Where bytes arrived as others, it is of none. */
  _sum(): string | undefined {
    const pieces = [...this._sums].sort((x, y) => x[0] - y[0]);
    let at = 0;
    for (const [start, [, n]] of pieces) at = start === at ? at + n : -1;
    return at === this._size ? base64(combine(pieces.map((p) => p[1]))) : this._spoilt;
  }
}

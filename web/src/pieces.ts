// What of one file is missing, what is on its way, and what was acknowledged.

import { base64, combine } from "./crc.js";
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
  /** Of a file: what is neither acknowledged nor on its way. */
  _missing: Extent[] = [];
  _flights = new Set<Flight>();
  /** Checksums and lengths of what was acknowledged, by the first byte. */
  _sums = new Map<number, [crc: bigint, length: number]>();
  /** What was acknowledged since the server was last asked, whose answer may be older. */
  _fresh: Extent[] = [];
  /** Of a stream: what was read and waits to be sent. */
  _kept: Piece[] = [];
  /** Of a stream: how much was read. */
  _read = 0;
  /** Others send the same file: begin somewhere, so that the ways do not cross. */
  _scattered = false;
  _stream: boolean;
  /** -1 as long as nobody knows. */
  _size: number;

  constructor(stream: boolean, size: number) {
    this._stream = stream;
    this._size = size;
    this._anew();
  }

  /** Nothing is acknowledged any more. */
  _anew(): void {
    this._missing = union([[0, this._size]]);
    this._sums.clear();
  }

  get _acknowledged(): number {
    let n = this._stream ? this._read : this._size - total(this._missing);
    for (const p of [...this._kept, ...this._flights]) n -= p.end - p.start;
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
    if (this._stream) {
      const p = this._kept.shift();
      return p && this._cut(p, n);
    }
    const some = this._scattered;
    const i = some ? Math.floor(Math.random() * this._missing.length) : 0;
    const e = this._missing[i];
    if (!e) return undefined;
    let [start, end] = e;
    if (some) start = Math.max(start, Math.floor((start + Math.random() * (end - start)) / n) * n);
    end = Math.min(end, (Math.floor(start / n) + 1) * n);
    this._missing.splice(i, 1, ...union([[e[0], start], [end, e[1]]]));
    return { start, end };
  }

  /** A piece of a stream, cut to what goes through now. */
  _cut(p: Piece, n: number): Piece {
    const { start, end, kept } = p;
    if (end - start <= n) return p;
    const at = start + n;
    this._kept.unshift({ start: at, end, kept: kept!.slice(n) });
    return { start, end: at, kept: kept!.slice(0, n) };
  }

  /** More of a stream was read. */
  _add(kept: Uint8Array<ArrayBuffer>): void {
    const start = this._read;
    const end = (this._read += kept.length);
    if (end > start) this._kept.push({ start, end, kept });
  }

  /** A piece has not arrived. */
  _giveBack(p: Piece): void {
    const { start, end, kept } = p;
    if (!this._stream) this._missing = union([...this._missing, [start, end]]);
    else if (kept) this._kept.push({ start, end, kept });
  }

  _arrived(p: Piece, crc: bigint): void {
    if (p.end === p.start) return;
    this._sums.set(p.start, [crc, p.end - p.start]);
    this._fresh.push([p.start, p.end]);
  }

  /** The server has these bytes of the file, and no others. */
  _stands(here: Extent[]): void {
    const flying = Array.from(this._flights, (f): Extent => [f.start, f.end]);
    this._missing = missing([...here, ...this._fresh, ...flying], this._size);
    for (const [a, b] of this._missing) {
      for (const [at, [, n]] of this._sums) if (at < b && at + n > a) this._sums.delete(at);
    }
  }

  /** Ends what is on its way. */
  _stop(): void {
    for (const f of this._flights) {
      f.stop.abort();
      f.sent = 0;
    }
  }

  /** The checksum of the whole file, if all of it was sent from here. */
  _sum(): string | undefined {
    const pieces = [...this._sums].sort((x, y) => x[0] - y[0]);
    let at = 0;
    for (const [start, [, n]] of pieces) at = start === at ? at + n : -1;
    return at === this._size ? base64(combine(pieces.map((p) => p[1]))) : undefined;
  }
}

// In which order the bytes of a file leave, and in which pieces.

import type { Extent } from "../extents.js";
import { union } from "../extents.js";
import { type Piece, Pieces } from "../pieces.js";

export interface Order {
  chunkSize: number;
  /** Where the last chunk begins. */
  tail: number;
  /** Nobody is asked first what is here. */
  blind: boolean;
  /** The ends of all files go first. */
  ends: boolean;
  /** Other files have ends to send. */
  others: () => boolean;
}

/** The pieces of a file, taken as the options want it. */
export class Ordered extends Pieces {
  constructor(
    size: number,
    private readonly order: Order,
  ) {
    super(size);
    this._blind = order.blind;
  }

  /** Bytes of the first or the last chunk wait to be sent. */
  get _endsMissing(): boolean {
    return !!(this._within(0, this.order.chunkSize) ?? this._within(this.order.tail, this._size));
  }

  /** The first missing bytes of [from, to). */
  _within(from: number, to: number): Extent | undefined {
    const e = this._missing.find(([a, b]) => a < to && b > from);
    return e && [Math.max(e[0], from), Math.min(e[1], to)];
  }

  override _take(n: number): Piece | undefined {
    if (!this._size || this._scattered) return super._take(n);
    const { chunkSize, tail, ends, others } = this.order;
    let e = this._within(0, this._size);
    if (ends) {
      const end = this._within(0, chunkSize) ?? this._within(tail, this._size);
      if (!end && others()) return undefined;
      e = end ?? e;
    }
    if (!e) return undefined;
    const [start, most] = e;
    // The last chunk has what remains, unless the line wants less.
    const grid = start >= tail && n >= chunkSize ? this._size : (Math.floor(start / n) + 1) * n;
    const end = Math.min(most, grid, start < tail ? tail : this._size);
    this._missing = union(this._missing.flatMap(([a, b]): Extent[] => [[a, Math.min(b, start)], [Math.max(a, end), b]]));
    return { start, end };
  }
}

// The pieces of a stream, which can be read only once. It is loaded when one is
// added.

import type { Extent } from "./extents.js";
import type { Piece, Pieces } from "./pieces.js";

/** Makes of the pieces of a file those of a stream; what is the same for both stays. */
export const streaming = (Base: typeof Pieces) =>
  class extends Base {
    /** What was read and waits to be sent. */
    _kept: Piece[] = [];
    /** How much was read. */
    _read = 0;
    _reading = false;
    _reader: ReadableStreamDefaultReader<Uint8Array>;
    _rest = new Uint8Array();

    constructor(stream: ReadableStream<Uint8Array>) {
      super(-1);
      this._reader = stream.getReader();
    }

    override get _acknowledged(): number {
      let n = this._read;
      for (const p of [...this._kept, ...this._flights]) n -= p.end - p.start;
      return n;
    }

    /** The next piece, cut to what goes through now. */
    override _take(n: number): Piece | undefined {
      if (!this._size) return super._take(n);
      const p = this._kept.shift();
      if (!p || p.end - p.start <= n) return p;
      const { start, end, kept } = p;
      const at = start + n;
      this._kept.unshift({ start: at, end, kept: kept!.slice(n) });
      return { start, end: at, kept: kept!.slice(0, n) };
    }

    override _giveBack({ start, end, kept }: Piece): void {
      if (kept) this._kept.push({ start, end, kept });
    }

    override _stands(here: Extent[]): boolean {
      return here.reduce((n, [a, b]) => n + b - a, 0) >= this._acknowledged;
    }

    override _more(n: number): Promise<void> | undefined {
      return this._reading ? undefined : this._fill(n);
    }

    /** Reads n bytes, or fewer at the end. */
    async _fill(n: number): Promise<void> {
      this._reading = true;
      const bytes = new Uint8Array(n);
      let at = 0;
      try {
        while (at < n) {
          if (!this._rest.length) {
            const { done, value } = await this._reader.read();
            if (done) break;
            this._rest = value as Uint8Array<ArrayBuffer>;
          }
          const part = this._rest.subarray(0, n - at);
          bytes.set(part, at);
          at += part.length;
          this._rest = this._rest.subarray(part.length);
        }
      } finally {
        this._reading = false;
      }
      const start = this._read;
      const end = (this._read += at);
      if (at) this._kept.push({ start, end, kept: bytes.slice(0, at) });
      if (at < n) this._size = end;
    }

    override _leave(): void {
      this._kept = [];
      void this._reader.cancel().catch(() => {});
    }
  };

/** Milliseconds by a clock that nobody sets. */
export const now = (): number => performance.now();

/** How long the past counts, in milliseconds. */
const memory = 4000;

/** A smoothed speed from a count that is looked at now and then. */
export class Meter {
  _rate = 0;
  _weight = 0;
  _at = 0;
  _bytes = 0;

  /** Begins to count anew at so many bytes; what the server had before was not sent now. */
  start(bytes: number): void {
    this._at = now();
    this._bytes = bytes;
    this._rate = this._weight = 0;
  }

  /** Bytes per second, given how many there are now. */
  speed(bytes: number): number {
    if (!this._at) this.start(bytes);
    const passed = now() - this._at;
    if (passed >= 200) {
      const keep = Math.exp(-passed / memory);
      const rate = (Math.max(0, bytes - this._bytes) * 1000) / passed;
      this._rate = this._rate * keep + rate * (1 - keep);
      this._weight = this._weight * keep + 1 - keep;
      this._at += passed;
      this._bytes = bytes;
    }
    return this._weight ? this._rate / this._weight : 0;
  }
}

/** Milliseconds that so many bytes take; undefined if nobody can tell. */
export const eta = (left: number, speed: number): number | undefined =>
  left <= 0 ? 0 : speed > 1 && left < Infinity ? (left / speed) * 1000 : undefined;

// Several addresses of one server. It is loaded where there are several.

import type { Kit } from "./kit.js";

export interface Address {
  url: string;
  failures: number;
  /** Until when it is left alone. */
  until: number;
}

export class Addresses {
  _all: Address[];
  _turn = 0;
  _longest: number | undefined;
  _kit: Kit;

  /** `longest` is the most milliseconds for which one is left alone. */
  constructor(urls: readonly string[], longest: number | undefined, kit: Kit) {
    this._all = urls.map((url) => ({ url, failures: 0, until: 0 }));
    this._longest = longest;
    this._kit = kit;
  }

  _free(a: Address): boolean {
    return a.until <= performance.now();
  }

  /** The next that works, else the one that was left alone longest. */
  _next(): Address {
    const at = this._turn++ % this._all.length;
    const inTurn = [...this._all.slice(at), ...this._all.slice(0, at)];
    return inTurn.find((a) => this._free(a)) ?? inTurn.reduce((x, y) => (y.until < x.until ? y : x));
  }

  /** What became of a request that was begun then; true if another address can be tried at once. */
  _told(a: Address, well: unknown, since: number): boolean {
    if (well) a.failures = a.until = 0;
    // Requests that failed together are one failure.
    else if (a.until <= since) a.until = performance.now() + this._kit._backOff(++a.failures + 2, this._longest);
    return !well && this._all.some((x) => x !== a && this._free(x));
  }
}

// Where the server is: one address, or several of the same server.

import { backOff } from "./answer.js";
import { now } from "./meter.js";

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

  /** `longest` is the most milliseconds for which one is left alone. */
  constructor(urls: string | readonly string[], longest: number | undefined) {
    this._all = [urls].flat().map((u) => ({ url: u.replace(/\/*$/, "/"), failures: 0, until: 0 }));
    this._longest = longest;
  }

  /** By which uploads are named: the others only lead to the same server. */
  get _first(): string {
    return this._all[0]!.url;
  }

  /** The next that works, else the one that was left alone longest. */
  _next(): Address {
    const at = this._turn++ % this._all.length;
    const inTurn = [...this._all.slice(at), ...this._all.slice(0, at)];
    return inTurn.find(free) ?? inTurn.reduce((x, y) => (y.until < x.until ? y : x));
  }

  /** What became of a request that was begun then; true if another address can be tried at once. */
  _told(a: Address, well: boolean, since: number): boolean {
    if (well) a.failures = a.until = 0;
    // Requests that failed together are one failure.
    else if (a.until <= since) a.until = now() + backOff(++a.failures + 2, this._longest);
    return !well && this._all.some((x) => x !== a && free(x));
  }
}

const free = (a: Address): boolean => a.until <= now();

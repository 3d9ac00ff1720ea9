// Requests, with all that each of them carries.

import type { Addresses } from "./addresses.js";
import { json, own } from "./answer.js";
import type { Item } from "./item.js";
import { kit } from "./kit.js";
import { now } from "./meter.js";
import { type Answer, none, send } from "./transport.js";
import type { Options } from "./types.js";
import { ended, within } from "./within.js";

type Words = Record<string, string>;

export class Calls {
  _options: Options;
  /** The first names the server; the others only lead to it. */
  _targets: string[];
  _addresses: Addresses | undefined;
  readonly _kit = kit;
  _token: string | undefined;
  _refreshing: Promise<boolean> | undefined;
  /** New tokens since something went well. */
  _refreshes = 0;
  /** The server's time less that of a clock which nobody sets. */
  _ahead: number | undefined;

  constructor(o: Options) {
    this._options = o;
    this._targets = [o.target ?? o.endpoint ?? "/upload/"].flat().map((t) => t.replace(/\/*$/, "/"));
    // Now, because later the line may be gone; without this part the first has to do.
    if (this._targets[1]) {
      import("./addresses.js").then((part) => (this._addresses = new part.Addresses(this._targets, o.maxRetryInterval, kit)), () => {});
    }
    this._token = o.token;
  }

  /** Sends one request for an item. It rejects only if a function of the page does. */
  async _send(
    item: Item,
    method: string,
    extra: Record<string, string> = {},
    body?: Uint8Array<ArrayBuffer>,
    signal?: AbortSignal,
    progress?: (n: number) => void,
  ): Promise<Answer> {
    const o = this._options;
    const timeout = o.timeout ?? 60_000;
    const given = (x: unknown): unknown => (typeof x === "function" ? within(x(item, extra), timeout, signal) : x);
    const headers: Words = { "X-Upload-Fingerprint": item._print, ...extra };
    if (item.path) headers["X-Upload-Path"] = item.path.split("/").map(encodeURIComponent).join("/");
    if (method === "PUT") headers["Content-Type"] = item.type || "application/octet-stream";
    const token = this._token;
    if (token) headers["Authorization"] = "Bearer " + token;
    let query: string;
    try {
      Object.assign(headers, await given(o.headers));
      query = new URLSearchParams((await given(o.query)) as Words).toString();
    } catch (e) {
      if (e === ended) return none;
      throw e;
    }
    const since = now();
    const all = this._addresses;
    const address = all?._next();
    const url = (address?.url ?? this._targets[0]) + encodeURIComponent(item.name) + (query && "?" + query);
    const a = await (o.send ?? send)({ method, url, headers, body, credentials: o.withCredentials, timeout, signal, progress });
    const date = Date.parse(a.header("Date") ?? "");
    if (date) this._ahead = date - now();
    const well = [204, 308, 401, 413].includes(a.status) || own(a) || json(a);
    return { ...a, token, elsewhere: !signal?.aborted && all?._told(address!, well, since) };
  }

  /** By more than five minutes against the server's, as it was heard last. */
  _clockIsWrong(): boolean {
    return Math.abs(this._ahead! + now() - Date.now()) > 300_000;
  }
}

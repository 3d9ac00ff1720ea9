// Requests, with all that each of them carries.

import type { Item } from "./item.js";
import { now } from "./meter.js";
import { type Answer, send } from "./transport.js";
import type { Options } from "./types.js";

export class Calls {
  _options: Options;
  _targets: string[];
  _token: string | undefined;
  _refreshing: Promise<boolean> | undefined;
  /** New tokens since something went well. */
  _refreshes = 0;
  _inOrder = 0;
  /** The server's time less ours, as last heard, and when by both clocks. */
  _clock: { server: number; at: number } | undefined;

  constructor(o: Options) {
    const target = o.target ?? o.endpoint ?? "/upload/";
    this._options = o;
    this._targets = (typeof target === "string" ? [target] : [...target]).map((t) => t.replace(/\/*$/, "/"));
    this._token = o.token;
  }

  /** Sends one request for an item. It rejects only if a function of the page does. */
  async _send(
    item: Item,
    method: string,
    extra: Record<string, string> = {},
    body?: Uint8Array<ArrayBuffer>,
    signal: AbortSignal = new AbortController().signal,
    progress?: (n: number) => void,
  ): Promise<Answer> {
    const o = this._options;
    const given = async <T>(x: T | ((i: Item) => T | Promise<T>) | undefined): Promise<T | undefined> =>
      typeof x === "function" ? (x as (i: Item) => T)(item) : x;
    const headers: Record<string, string> = {
      "X-Upload-Fingerprint": item.key + (item._salt && "." + item._salt),
      ...extra,
    };
    if (item.path) headers["X-Upload-Path"] = item.path.split("/").map(encodeURIComponent).join("/");
    if (method === "PUT") headers["Content-Type"] = item.type || "application/octet-stream";
    const token = this._token;
    if (token) headers["Authorization"] = "Bearer " + token;
    Object.assign(headers, await given(o.headers));
    const query = new URLSearchParams(((await given(o.query)) ?? {}) as Record<string, string>).toString();
    const slot = this._inOrder++ % this._targets.length;
    const answer = await send({
      method,
      url: this._targets[slot] + encodeURIComponent(item.name) + (query && "?" + query),
      headers,
      body,
      credentials: !!o.withCredentials,
      timeout: o.timeout ?? 60_000,
      signal,
      progress,
    });
    const date = Date.parse(answer.header("Date") ?? "");
    if (date) this._clock = { server: date - Date.now(), at: Date.now() - now() };
    return { ...answer, token };
  }

  /** By more than five minutes: against the server, or set back since it was heard. */
  _clockIsWrong(): boolean {
    const c = this._clock;
    const wrong = 300_000;
    return !!c && (Math.abs(c.server) > wrong || Date.now() - now() - c.at < -wrong);
  }

  /** Gets a new token; all who need one share it. */
  _renewed(): Promise<boolean> {
    return (this._refreshing ??= this._refresh());
  }
  async _refresh(): Promise<boolean> {
    try {
      const token = this._refreshes++ < 3 ? await this._options.refreshToken?.() : undefined;
      if (!token || token === this._token) return false;
      this._token = token;
      return true;
    } catch {
      return false;
    } finally {
      this._refreshing = undefined;
    }
  }
}

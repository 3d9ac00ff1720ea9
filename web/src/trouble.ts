// What an answer means that is neither yes nor "more".

import { backOff, kind, own, retryAfter } from "./answer.js";
import type { Item } from "./item.js";
import { now } from "./meter.js";
import type { Flight } from "./pieces.js";
import type { Answer } from "./transport.js";

/** So many times in a row bytes may arrive damaged, and an address may be no server's. */
const tries = 5;

/** No server is asked to take less at once, in bytes. */
const least = 64 << 10;

export function trouble(i: Item, a: Answer, f: Flight | undefined): void {
  if (f) i._pieces._giveBack(f);
  if (i._final) return;
  const up = i.uploader;
  const pace = up._pace;
  const problem = own(a);
  const about = { status: a.status, detail: problem?.detail ?? "" };
  const n = f ? f.end - f.start : 0;
  // A bad request of which nothing more is said came here in pieces.
  let code = a.status === 400 && problem && !problem.detail ? "network" : kind(a);
  if (a.status === 413 && !problem && f) {
    if (n <= least) return i._fail("too-large-chunk", about);
    return pace._shrink(n);
  }
  if (a.status === 409 && problem) {
    if (/other bytes|sizes/.test(about.detail)) return i._fail(i._feed ? "stream" : "changed", about);
    // Somebody else sends the same bytes: keep out of each other's way.
    i._pieces._scattered = true;
  }
  if (code === "network") {
    if (globalThis.navigator?.onLine === false) code = "offline";
    else if (up._calls._clockIsWrong()) code = "clock";
    if (n) pace._slow(n);
  }
  if (a.status === 401) return up._unauthorised(i, about, a.token);
  const sameTrouble = f && f.since < i._lastFailure;
  if (!sameTrouble) {
    i.failures++;
    i._lastFailure = now();
    if (code === "damaged") i._damaged++;
  }
  const e = i._error(code, about);
  // A proxy without its server behind it says such things too.
  const perhaps = !problem && (code === "not-found" || code === "refused");
  const max = perhaps ? tries : (up._maxRetries ?? Infinity);
  if ((!e.passing && !perhaps) || i.failures > max || i._damaged >= tries) return i._fail(code, about);
  i.error = e;
  if (code !== "damaged") i._asked = false;
  const after = retryAfter(a);
  // What concerns all files holds all of them; another one's answer may be another one.
  const all = /offline|network|clock|foreign|full|slow-down/.test(code);
  if (!sameTrouble) i._wait(after ?? backOff(i.failures, up.options.maxRetryInterval), all || pace._failures > 2);
  pace._bad(f?.since ?? 0);
  if (!sameTrouble) up._emit("fileRetry", i, e);
  i._update();
}

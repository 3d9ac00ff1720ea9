// What an answer means that is neither yes nor "more".

import { backOff, kind, own, retryAfter } from "./answer.js";
import type { About } from "./errors.js";
import type { Item } from "./item.js";
import { now } from "./meter.js";
import { least } from "./pace.js";
import type { Flight } from "./pieces.js";
import type { Answer } from "./transport.js";
import type { ErrorCode } from "./types.js";
import { within } from "./within.js";

/** So many times in a row bytes may arrive damaged, and an address may be no server's. */
const tries = 5;

export function trouble(i: Item, a: Answer, f?: Flight): void {
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
  if (a.status === 401) {
    i._asked = false;
    if (a.token !== up._calls._token) return; // there is a new one already
    i._hold = Infinity;
    within(import("./token.js")).then((part) => part.unauthorised(i, a, about), () => i._wait(3000));
    return;
  }
  if (a.status === 409 && problem) {
    if (/other bytes|sizes/.test(about.detail)) return i._fail(i._stream ? "stream" : "changed", about);
    // Somebody else sends the same bytes: keep out of each other's way.
    i._pieces._scattered = true;
  }
  if (code !== "damaged") i._asked = false;
  if (a.elsewhere) return;
  if (code === "network") {
    if (globalThis.navigator?.onLine === false) code = "offline";
    else if (up._calls._clockIsWrong()) code = "clock";
    if (n) pace._slow(n);
  }
  suffer(i, code, about, f, !problem, retryAfter(a));
}

/** Waits, or gives up. What a stranger says - not our server - may be a proxy's word for its absence. */
export function suffer(i: Item, code: ErrorCode, about: About, f?: Flight, stranger = false, after?: number): void {
  const up = i.uploader;
  const pace = up._pace;
  const e = i._error(code, about);
  const perhaps = stranger && (code === "not-found" || code === "refused");
  const sameTrouble = f && f.since < i._lastFailure;
  if (!sameTrouble) {
    i.failures++;
    i._lastFailure = now();
    i._damaged += +(code === "damaged");
    i._strange = perhaps ? i._strange + 1 : 0;
  }
  const hopeless = (!e.passing && !perhaps) || i._damaged >= tries || i._strange > tries;
  if (hopeless || i.failures > (up._maxRetries ?? Infinity)) return i._fail(code, about);
  i.error = e;
  // What concerns all files holds all of them; another one's answer may be another one.
  const all = /offline|network|clock|foreign|full|slow-down/.test(code) || pace._failures > 2;
  if (!sameTrouble) i._wait(after ?? backOff(i.failures, up.options.maxRetryInterval), all);
  pace._bad(f?.since ?? 0);
  if (!sameTrouble) up._emit("fileRetry", i, e);
  i._update();
}

// What an answer has come to.

import { backOff, json } from "./answer.js";
import type { Item } from "./item.js";
import { now } from "./meter.js";
import type { Flight } from "./pieces.js";
import type { Answer } from "./transport.js";
import { trouble } from "./trouble.js";
import type { Result } from "./types.js";

/** The answer to a piece, with its checksum, or to the question, without. */
export function heard(i: Item, a: Answer, f: Flight | undefined, crc = 0n): void {
  const whole = a.status < 300 ? json(a) : undefined;
  const more = a.status === 308 && !a.header("Location");
  if (!whole && !more) return trouble(i, a, f);
  if (f) {
    i._pieces._arrived(f, crc);
    i.uploader._pace._arrived(f.end - f.start, now() - f.since);
    i.uploader._dirty(i);
  }
  good(i, f);
  if (!whole) return f && f.start === f.end ? poll(i) : undefined;
  i._asked = true;
  // A file that is held until somebody releases it needs nothing more from here.
  if (!/done|held/.test(whole.state)) {
    i._pieces._missing = [];
    return poll(i);
  }
  if (!f && !i._pieces._sums.size) {
    i.already = true;
    i.resumedAt = i.size;
  }
  finish(i, whole);
}

/** Asks again soon, and then less often. */
export function poll(i: Item): void {
  i._wait(backOff(++i._polls, 5000));
}

export function good(i: Item, f: Flight | undefined): void {
  if (f && f.since < i._lastFailure) return;
  i.failures = i._damaged = i._strange = 0;
  i.error = undefined;
  i.uploader._pace._failures = i.uploader._calls._refreshes = 0;
}

/** Compares the finished file with what was sent. */
function finish(i: Item, r: Result): void {
  i._finishing = true;
  i._pieces._stop();
  i._pieces._missing = [];
  i._update();
  const sum = i._pieces._sum();
  if ((i.size >= 0 && r.size !== i.size) || (sum && r.crc64nvme && r.crc64nvme !== sum)) return i._fail("mismatch");
  i.result = r;
  i.uploader._keep((m) => m.delete(i.key));
  i._end("done", () => i.uploader._emit("fileSuccess", i, r));
}

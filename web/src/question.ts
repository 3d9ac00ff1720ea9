// What does the server have?

import { json, own } from "./answer.js";
import { type Extent, parse, total } from "./extents.js";
import type { Item } from "./item.js";
import type { Answer } from "./transport.js";
import { good, heard, poll } from "./verdict.js";

/** Asks the server what it has of an item. */
export async function ask(i: Item): Promise<void> {
  const pieces = i._pieces;
  const f = pieces._fly({ start: 0, end: 0 });
  const signal = f.stop.signal;
  const answered = (method: string, headers: Record<string, string> = {}): Promise<Answer> =>
    i.uploader._calls._send(i, method, headers, undefined, signal);
  i._asking = true;
  pieces._fresh = [];
  i._update();
  try {
    let a = await answered("PUT", { "Content-Range": `bytes */${i.size < 0 ? "*" : i.size}` });
    let ranges = a.header("X-Upload-Ranges") ?? a.header("Range") ?? "";
    if (ranges.length > 2500 || (a.status === 503 && own(a))) {
      // A header takes no more than some ranges, and a busy server may be
      // finishing the file: the document tells.
      const b = await answered("GET");
      const d = b.status === 200 && json(b);
      if (d && d.state !== "receiving") a = b;
      else if (d) ranges = d.ranges ?? ranges;
    }
    if (signal.aborted || i._final) return;
    const unknown = a.status === 404 && own(a);
    if (!unknown && (a.status !== 308 || a.header("Location"))) return heard(i, a, undefined);
    const nothingNew = !pieces._missing.length;
    stands(i, parse(unknown ? "" : ranges));
    good(i, f);
    // All bytes are there: the server is finishing the file.
    if (nothingNew && !pieces._missing.length && i.size >= 0) poll(i);
  } finally {
    pieces._flights.delete(f);
    i._asking = false;
  }
}

/** The server has these bytes and no others. */
function stands(i: Item, here: Extent[]): void {
  const pieces = i._pieces;
  const first = !i._asked;
  i._asked = true;
  if (!pieces._stands(here)) return i._fail("stream");
  if (first && !pieces._sums.size && !i.resumedAt) i.resumedAt = total(here);
  i._meter.start(i.sent);
}

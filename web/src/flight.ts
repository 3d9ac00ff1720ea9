// One piece, sent.

import { base64 } from "./crc.js";
import { said } from "./errors.js";
import type { Item } from "./item.js";
import { now } from "./meter.js";
import type { Flight, Piece } from "./pieces.js";
import type { Summed } from "./sums.js";
import type { Answer } from "./transport.js";
import { trouble } from "./trouble.js";
import { heard } from "./verdict.js";

/** Sends one piece of an item. */
export async function send(i: Item, p: Piece): Promise<void> {
  const up = i.uploader;
  const pieces = i._pieces;
  const f = pieces._fly(p);
  const signal = f.stop.signal;
  const n = f.end - f.start;
  i._update();
  const lost = (): void => {
    pieces._flights.delete(f);
    pieces._giveBack(f);
  };
  let s: Summed;
  try {
    s = f.kept || !n ? up._sums.sum(f.kept ?? new Uint8Array()) : await slice(i, f);
  } catch (e) {
    lost();
    if (!signal.aborted) i._fail("unreadable", said(e));
    return;
  }
  const crc = "crc64nvme " + base64(s.crc);
  const headers: Record<string, string> = { "X-Upload-Checksum": crc };
  if (n) headers["Content-Range"] = `bytes ${f.start}-${f.end - 1}/${i.size < 0 ? "*" : i.size}`;
  f.since = now();
  let a: Answer;
  try {
    a = await up._calls._send(i, "PUT", headers, s.bytes, signal, (sent) => {
      f.sent = Math.min(sent, n);
      i._update();
      up._dirty(i);
    });
  } catch (e) {
    lost();
    throw e;
  }
  if (signal.aborted || i._final) return lost();
  pieces._flights.delete(f);
  const theirs = a.header("X-Upload-Checksum");
  if ((a.status === 308 || a.status < 300) && theirs && theirs !== crc) {
    pieces._spoilt = theirs;
    return trouble(i, { ...a, status: 460 }, f);
  }
  heard(i, a, f, s.crc);
}

async function slice(i: Item, f: Flight): Promise<Summed> {
  const s = await i.uploader._sums.read((i.file as Blob).slice(f.start, f.end), f.stop.signal);
  if (s.bytes.length !== f.end - f.start) throw new Error("the file became shorter");
  return s;
}

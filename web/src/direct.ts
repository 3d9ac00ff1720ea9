/** Sends pieces straight into the server's bucket: `new Uploader({ send: direct() })`. */

import { own } from "./answer.js";
import { now } from "./meter.js";
import { send } from "./transport.js";
import type { Answer, Call, DirectOptions, Sender } from "./types.js";

/** No store takes a smaller part, but for a file's last one. */
const least = 5 << 20;
/** What is larger does not get through widespread proxies, should it have to go through the server. */
const most = 95 << 20;
/** After so many failures a bucket is left alone: each costs the bytes of a piece. */
const tries = 3;
/** How long a piece may take before smaller ones are tried, in milliseconds: those would not go into the bucket. */
const patience = 120_000;

/** How one server's bucket fares. */
interface Fate {
  failures: number;
  /** When the last of them was noticed. */
  failed: number;
  /** Until when it is left alone. */
  until: number;
  /** It has taken a piece. */
  reached: boolean;
}

/** What the server has signed. */
interface Signed {
  url: string;
  headers?: Record<string, string>;
}

/**
 * Sends pieces into the bucket, by addresses that the server signs for one piece
 * each. What is not for the bucket, and what does not get there, is sent through
 * the server.
 */
export function direct(o: DirectOptions = {}): Sender {
  const fates = new Map<string, Fate>();
  let said = false;
  const sender: Sender = async (c) => {
    const target = /^[^?]*\//.exec(c.url)?.[0] ?? "";
    let fate = fates.get(target);
    if (!fate) fates.set(target, (fate = { failures: 0, failed: -1, until: 0, reached: false }));
    const since = now();
    if (!suits(c) || since < fate.until) return send(c);
    const failure = await viaBucket(c, fate);
    if ("text" in failure) return failure;
    // The upload was begun in larger pieces, or has too many of these for a bucket.
    const cell = failure.cell ?? 0;
    if (cell <= most) sender.cell = Math.max(sender.cell ?? 0, cell);
    c.progress?.(0);
    const a = await send(c);
    // Where the server cannot be reached either, and after an abort, it was not the bucket's fault.
    if (failure.why && a.status) {
      // Connections that broke together are one failure; answers are meant.
      if (failure.status || since > fate.failed) fate.failures++;
      fate.failed = now();
      // That not a byte could leave is a rule of the bucket (CORS) or of the page.
      if (fate.failures >= tries || (failure.unsent && !fate.reached)) fate.until = now() + (o.rest ?? 300_000);
      if (!said) console.warn(`Uploads go through the server: ${failure.why}.`);
      said = true;
    }
    return a;
  };
  sender.patience = patience;
  return sender;
}

/** It is a piece that can be a part: large, or the last one of a large file; of known size, and with a checksum. */
function suits(c: Call): boolean {
  const [, last, total] = /^bytes \d+-(\d+)\/(\d+)$/.exec(c.headers["Content-Range"] ?? "") ?? [];
  const n = c.body?.length ?? 0;
  if (c.method !== "PUT" || !last || !c.headers["X-Upload-Checksum"]) return false;
  return n >= least || (n > 0 && +last + 1 === +total! && +total! > least);
}

/** Why a piece has to go through the server. */
interface Failure {
  /** What to tell; empty where nothing has gone wrong. */
  why: string;
  /** HTTP status. */
  status: number;
  /** Bytes of a piece as the bucket wants it. */
  cell?: number;
  /** Nothing had left for the bucket, as only XMLHttpRequest can tell. */
  unsent?: boolean;
}

/** What became of a piece: the server's answer, or that the server has to take it. */
async function viaBucket(c: Call, fate: Fate): Promise<Answer | Failure> {
  const { body, progress, ...rest } = c;
  const ask = (what: string): Promise<Answer> =>
    send({ ...rest, method: "POST", headers: { ...c.headers, "X-Upload-Direct": what } });
  const a = await ask("sign");
  const put = signed(a);
  if (!put) {
    // What is here already, and what the server would say to the piece as well.
    if ((a.status && a.status < 400) || (/401|429|507/.test(`${a.status}`) && own(a))) return a;
    if (a.status === 501) fate.until = Infinity;
    const why = /422|501/.test(`${a.status}`) ? "" : `it does not sign parts (${a.status})`;
    return { why, status: a.status, cell: +(a.header("X-Upload-Cell") ?? 0) };
  }
  let sent = 0;
  const b = await send({
    ...rest,
    url: put.url,
    headers: put.headers ?? {},
    credentials: false,
    body,
    progress: (n) => {
      sent = n;
      progress?.(n);
    },
  });
  if (b.status !== 200) {
    // The address is as good as a key, so only its host is told.
    const { host } = new URL(put.url);
    const why = b.status ? `the bucket at ${host} answers ${b.status}` : `the bucket at ${host} cannot be reached from here`;
    return { why, status: b.status, unsent: !b.status && !sent && !!globalThis.XMLHttpRequest };
  }
  const d = await ask("sent");
  if (/422|501/.test(`${d.status}`)) return { why: "the bucket does not have what it took", status: d.status };
  fate.failures = 0;
  fate.reached = true;
  return d;
}

/** The address that the server has signed, if it did. */
function signed(a: Answer): Signed | undefined {
  if (a.status !== 200) return undefined;
  try {
    const { put } = JSON.parse(a.text);
    return typeof put?.url === "string" ? put : undefined;
  } catch {
    return undefined;
  }
}

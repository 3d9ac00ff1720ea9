// What an answer says.

import type { Answer } from "./transport.js";
import type { ErrorCode, Result } from "./types.js";

const document = (a: Answer, media: string): Record<string, unknown> | undefined => {
  if (!a.header("Content-Type")?.startsWith(media)) return undefined;
  try {
    return JSON.parse(a.text) ?? undefined;
  } catch {
    return undefined;
  }
};

/** The upload that an answer describes, if our server said it. */
export function json(a: Answer): (Result & { ranges?: string }) | undefined {
  const d = document(a, "application/json");
  return typeof d?.["id"] === "string" ? (d as unknown as Result & { ranges?: string }) : undefined;
}

/** The problem, if our server told it and not a proxy before it. */
export function own(a: Answer): { detail: string } | undefined {
  const d = document(a, "application/problem+json");
  return d && { detail: String(d["detail"] ?? "") };
}

/** What has gone wrong. */
export function kind(a: Answer): ErrorCode {
  const s = a.status;
  const known: Record<number, ErrorCode | undefined> = {
    0: "network",
    401: "unauthorised",
    403: "forbidden",
    413: "too-large",
    429: "slow-down",
    460: "damaged",
    507: "full",
    511: "foreign",
  };
  if (/4(04|05|10)|50[15]/.test(`${s}`)) return "not-found";
  return known[s] ?? (s < 400 ? "foreign" : s >= 500 || /4(08|09|23|25)/.test(`${s}`) ? "busy" : "refused");
}

/** Milliseconds that the server wants, from Retry-After: seconds, or a date by its own clock. At most an hour. */
export function retryAfter(a: Answer): number | undefined {
  const value = a.header("Retry-After");
  if (!value) return undefined;
  const here = Date.parse(a.header("Date") ?? "") || Date.now();
  const ms = +value * 1000 || Date.parse(value) - here;
  // A little later for each, so that not all come at the same moment.
  return ms >= 0 ? Math.min(ms, 3600_000) + Math.random() * 250 : undefined;
}

/** The wait after so many failures: twice as long each time, and never the same for two that failed together. */
export function backOff(failures: number, most = 30_000): number {
  const ms = Math.min(250 * 2 ** Math.min(Math.max(failures - 1, 0), 20), most);
  return ms / 2 + (Math.random() * ms) / 2;
}

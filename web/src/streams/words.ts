// What is said over a stream, as a request's answer.

import type { Answer } from "../types.js";

/** What the server tells of an upload, or why it does not. */
export interface Told {
  /** Of what failed, as HTTP has it; 0 if the line broke. */
  status?: number;
  sentence?: string;
  offset?: number;
  ranges?: string;
  maxChunk?: number;
  crc64nvme?: string;
  /** The upload as JSON, when it is whole. */
  file?: unknown;
}

const made = (status: number, headers: Record<string, string | undefined>, text = ""): Answer => ({
  status,
  header: (name) => headers[name] ?? null,
  text,
});

export const problem = (status: number, detail: string): Answer =>
  made(status, { "Content-Type": "application/problem+json" }, JSON.stringify({ detail }));

/** The answer that our server would give to a request; `well` where nothing is told. */
export function answer(t: Told, well?: number): Answer {
  if (t.status === 0) return made(0, {});
  if (t.status) return problem(t.status, t.sentence ?? "");
  const sum = t.crc64nvme && "crc64nvme " + t.crc64nvme;
  if (t.file) return made(200, { "Content-Type": "application/json", "X-Upload-Checksum": sum }, JSON.stringify(t.file));
  return made(well ?? 308, { "X-Upload-Ranges": t.ranges, "X-Upload-Checksum": sum });
}

/** The sessionID of a fingerprint: the same for the same, and another for another. */
export function session(print: string): string {
  const id = print.replace(/[^A-Za-z0-9-]/gu, (c) => `_${c.codePointAt(0)!.toString(16)}_`).padEnd(8, "_");
  if (id.length <= 64) return id;
  let a = 0n;
  for (let i = 0; i < id.length; i++) a = BigInt.asUintN(128, (a ^ BigInt(id.charCodeAt(i))) * 0x1000000000000000000013bn);
  return id.slice(0, 30) + "__" + a.toString(36);
}

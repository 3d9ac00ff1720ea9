// How Mule Uploader signs what it sends to a bucket: AWS Signature Version 4 in
// the query, with a few ways of its own that servers know.

import { hex, hmac, sha256, unhex } from "./sha256.js";

/** What the backend answers to signing_key. */
export interface Session {
  date: string; // of the key, ISO 8601 in UTC
  signature: string; // the key, in hexadecimal
  access_key: string; // and its name
  region: string;
  bucket: string; // where URLs begin; ".s3.amazonaws.com" is put behind it
  content_type: string;
  key: string; // of the object
  upload_id?: string; // if there is something to go on with
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The host of a bucket, with whatever path the server has put into its name. */
export const host = (s: Session): string => `${s.bucket}.s3${s.region.startsWith("us") ? "" : `-${s.region}`}.amazonaws.com`;

/**
 * sign returns the URL of a request, without the scheme. operation is its query, values as
 * they stand in URLs; headers are signed in the order of their names. The day in the scope is
 * that of the browser's clock, the one in the credential that of the key.
 */
export function sign(s: Session, method: string, operation: string, headers: Record<string, string>, now: Date): string {
  const at = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const all: [string, string][] = [...Object.entries(headers), ["host", host(s)]];
  all.sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
  const names = all.map(([name]) => name).join(";");
  const scope = (day: string): string => `${day}/${s.region}/s3/aws4_request`;
  const query = [
    operation,
    `X-Amz-Date=${at}`,
    "X-Amz-Algorithm=AWS4-HMAC-SHA256",
    "X-Amz-Expires=86400",
    `X-Amz-Credential=${encodeURIComponent(`${s.access_key}/${scope(s.date.slice(0, 10).replace(/-/g, ""))}`)}`,
    `X-Amz-SignedHeaders=${encodeURIComponent(names)}`,
  ].join("&");
  const canonical = [
    method,
    `/${encodeURIComponent(s.key).replaceAll("%2F", "/")}`,
    query.split("&").sort().join("&"),
    ...all.map(([name, value]) => `${name.toLowerCase()}:${value.trim()}`),
    "",
    names.toLowerCase(),
    "UNSIGNED-PAYLOAD",
  ].join("\n");
  const text = ["AWS4-HMAC-SHA256", at, scope(at.slice(0, 8)), hex(sha256(bytes(canonical)))].join("\n");
  return `//${host(s)}/${s.key}?${query}&X-Amz-Signature=${hex(hmac(unhex(s.signature), bytes(text)))}`;
}

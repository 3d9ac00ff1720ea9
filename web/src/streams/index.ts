/** The client's requests over Socket.IO: `new Uploader({ send: streams() })`. */

import { send } from "../transport.js";
import type { Answer, Call, StreamsOptions } from "../types.js";
import { Line } from "./line.js";
import { type Told, answer, problem, session } from "./words.js";

/** So often the first connection may fail before HTTP is taken instead. */
const attempts = 3;

/**
 * Sends requests over one WebSocket for each server. Where none gets through,
 * they go by HTTP.
 */
export function streams(o: StreamsOptions = {}): (c: Call) => Promise<Answer> {
  const lines = new Map<string, Line>();
  return async (c) => {
    if (typeof WebSocket !== "function") return send(c);
    const url = new URL("../socket.io/?EIO=4&transport=websocket", new URL(c.url, globalThis.location?.href));
    url.protocol = url.protocol.replace("http", "ws");
    const token = c.headers["Authorization"]?.replace(/^Bearer /, "");
    const key = `${url} ${token}`;
    let line = lines.get(key);
    if (!line) lines.set(key, (line = new Line(url.href, token, o.idle ?? 60_000)));
    if (line.failures >= attempts) return send(c);
    return speak(line, c);
  };
}

/** Says what a request says. */
async function speak(line: Line, c: Call): Promise<Answer> {
  const name = decodeURIComponent(new URL(c.url, "http://x/").pathname.replace(/.*\//, ""));
  const id = session(c.headers["X-Upload-Fingerprint"] ?? "");
  const range = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(c.headers["Content-Range"] ?? "");
  const size = range ? (range[3] === "*" ? undefined : +range[3]!) : c.body ? c.body.length : undefined;
  if (c.method === "DELETE") return answer(await line.ask(c, id, `upload_cancel_${id}`), 204);
  const begin = async (): Promise<Told> => {
    const path = c.headers["X-Upload-Path"]?.split("/").map(decodeURIComponent).join("/");
    const type = c.headers["Content-Type"];
    const fingerprint = c.headers["X-Upload-Fingerprint"];
    const about = { sessionID: id, fileName: name, path, type, size, fingerprint, token: line.token, resume: true };
    const told = await line.ask(c, id, "begin_upload", about);
    if (!told.status) line.begun.set(id, told.maxChunk!);
    return told;
  };
  // A question, and a file without bytes, are what begin_upload says.
  if (!c.body?.length || !range?.[2]) {
    const told = await begin();
    const finishing = told.offset === size && size !== undefined && !told.file && !told.status;
    return finishing ? problem(503, "The file is being finished.") : answer(told);
  }
  if (!line.begun.has(id)) {
    const told = await begin();
    if (told.status || told.file) return answer(told);
  }
  if (c.body.length > line.begun.get(id)!) return { status: 413, header: () => null, text: "" };
  const sum = /^crc64nvme (.*)/.exec(c.headers["X-Upload-Checksum"] ?? "")?.[1];
  const chunk = { offset: +range[1]!, length: c.body.length, crc64nvme: sum, last: +range[2] + 1 === size };
  const told = await line.ask(c, id, `upload_chunk_${id}`, chunk, c.body);
  if (told.status === 404 || told.status === 410) line.begun.delete(id);
  return answer(told);
}

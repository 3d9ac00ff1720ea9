// What each request says beside the bytes.

import type { Chunk } from "./chunk.js";
import type { ResumableFile } from "./file.js";
import type { All } from "./options.js";
import type { Query } from "./types.js";

/** Where requests go, and the query that the target has itself. */
export function place(o: All): { path: string; query: Query } {
  const target = typeof o.target === "function" ? o.target([]) : o.target;
  const [path, query] = target.split("#")[0]!.split("?");
  // The root of a server has its page; uploads go through its front door.
  return { path: /^(\w+:\/\/[^/]+)?\/?$/.test(path!) ? path!.replace(/\/?$/, "/upload") : path!, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** The chunk of a request, by its range; those that only ask have none. */
export function asked(file: ResumableFile, headers: Readonly<Record<string, string>>): Chunk | undefined {
  const first = /^bytes (\d+)-/.exec(headers["Content-Range"] ?? "")?.[1];
  if (first !== undefined) return file.at(+first);
  return "X-Upload-Checksum" in headers ? file.chunks[0] : undefined; // of a file without a byte
}

/** The parameters of a request. What the page says of a name comes first. */
export function parameters(o: All, file: ResumableFile, chunk: Chunk | undefined, more: Query): Record<string, string> {
  const all: Record<string, string> = {};
  const say = (name: string | null | false | undefined, value: Query[string]): void => {
    if (name && value !== undefined && value !== null && !(o.parameterNamespace + name in all)) {
      all[o.parameterNamespace + name] = String(value);
    }
  };
  for (const name in more) say(name, more[name]);
  if (chunk) {
    say(o.chunkNumberParameterName, chunk.offset + 1);
    say(o.chunkSizeParameterName, o.chunkSize);
    say(o.currentChunkSizeParameterName, chunk.endByte - chunk.startByte);
  }
  say(o.totalSizeParameterName, file.size);
  say(o.typeParameterName, file.item.type);
  say(o.identifierParameterName, file.uniqueIdentifier);
  say(o.fileNameParameterName, file.fileName);
  say(o.relativePathParameterName, file.relativePath);
  say(o.totalChunksParameterName, file.chunks.length);
  return all;
}

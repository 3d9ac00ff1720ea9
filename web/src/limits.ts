// What may be added. It is loaded where a page has limits.

import type { Item } from "./item.js";
import type { ErrorCode, Options } from "./types.js";

/** The limit that one file more would exceed, if there is one. */
export function exceeded(o: Options, item: Item, files: number): [ErrorCode, string] | undefined {
  const { size } = item;
  if (!accepts(o.fileType, item)) return ["file-type", String(o.fileType)];
  if (size >= 0 && size < (o.minFileSize ?? 0)) return ["too-small", bytes(o.minFileSize!)];
  if (o.maxFileSize && size > o.maxFileSize) return ["too-large", bytes(o.maxFileSize)];
  if (o.maxFiles && files >= o.maxFiles) return ["too-many", String(o.maxFiles)];
  return undefined;
}

/** The size for people. */
function bytes(n: number): string {
  const power = Math.min(4, Math.floor(Math.log2(Math.max(n, 1)) / 10));
  return `${+(n / 1024 ** power).toFixed(1)} ${["bytes", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

/** Tells whether a file is of one of the types: extensions, media types, "image/*". */
function accepts(types: Options["fileType"], item: Item): boolean {
  const all = (typeof types === "string" ? types.split(",") : (types ?? [])).map((t) => t.trim().toLowerCase()).filter(Boolean);
  const name = item.name.toLowerCase();
  const type = item.type.toLowerCase();
  return (
    !all.length ||
    all.some((t) =>
      t === "*" || t === "*/*" ? true
      : t.endsWith("/*") ? type.startsWith(t.slice(0, -1))
      : t.includes("/") ? type === t
      : name.endsWith("." + t.replace(/^\*?\./, "")),
    )
  );
}

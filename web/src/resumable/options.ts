// The options, with what they are where nobody says anything.

import type { ResumableOptions } from "./types.js";

const alarm = (sentence: string): void => (globalThis.alert ?? console.warn)(sentence);

const bytes = (n: number): string => {
  const power = Math.min(4, Math.floor(Math.log2(Math.max(n, 1)) / 10));
  return `${+(n / 1024 ** power).toFixed(1)} ${["bytes", "KiB", "MiB", "GiB", "TiB"][power]}`;
};

/** The default of each option. */
function defaults(o: ResumableOptions): ResumableOptions {
  return {
    target: "/",
    testTarget: null,
    chunkSize: 1 << 20,
    forceChunkSize: false,
    simultaneousUploads: 3,
    fileParameterName: "file",
    chunkNumberParameterName: "resumableChunkNumber",
    chunkSizeParameterName: "resumableChunkSize",
    currentChunkSizeParameterName: "resumableCurrentChunkSize",
    totalSizeParameterName: "resumableTotalSize",
    typeParameterName: "resumableType",
    identifierParameterName: "resumableIdentifier",
    fileNameParameterName: "resumableFilename",
    relativePathParameterName: "resumableRelativePath",
    totalChunksParameterName: "resumableTotalChunks",
    query: {},
    headers: {},
    parameterNamespace: "",
    testMethod: "GET",
    uploadMethod: "POST",
    method: "multipart",
    chunkFormat: "blob",
    prioritizeFirstAndLastChunk: false,
    testChunks: true,
    preprocess: null,
    preprocessFile: null,
    generateUniqueIdentifier: null,
    maxFiles: undefined,
    maxFilesErrorCallback: () =>
      alarm(`Please choose no more than ${o.maxFiles === 1 ? "one file" : `${o.maxFiles} files`} at a time.`),
    minFileSize: 1,
    minFileSizeErrorCallback: (f) =>
      alarm(`${f.name} is too small: a file has at least ${bytes(o.minFileSize ?? 1)} here.`),
    maxFileSize: undefined,
    maxFileSizeErrorCallback: (f) =>
      alarm(`${f.name} is too large: a file has at most ${bytes(o.maxFileSize!)} here.`),
    fileType: [],
    fileTypeErrorCallback: (f) =>
      alarm(`${f.name} is of a type that is not taken here. Choose one of these: ${o.fileType ?? o.fileTypes}.`),
    maxChunkRetries: undefined,
    chunkRetryInterval: undefined,
    permanentErrors: [400, 401, 403, 404, 409, 415, 500, 501],
    withCredentials: false,
    xhrTimeout: 0,
    setChunkTypeFromFile: false,
    dragOverClass: "dragover",
    throttleProgressCallbacks: 0.5,
    clearInput: true,
  };
}

/** Those that always have a value. */
type Always =
  | "target" | "chunkSize" | "simultaneousUploads" | "query" | "headers" | "parameterNamespace" | "fileType" | "dragOverClass"
  | "throttleProgressCallbacks" | "maxFilesErrorCallback" | "minFileSizeErrorCallback" | "maxFileSizeErrorCallback"
  | "fileTypeErrorCallback";

/** All options of an instance: what was said, and else the defaults. */
export type All = ResumableOptions & Required<Pick<ResumableOptions, Always>>;

export function complete(o: ResumableOptions): All {
  const all = { ...defaults(o), ...o } as All;
  all.fileType = o.fileType ?? o.fileTypes ?? [];
  all.dragOverClass = o.dragOverClass ?? o.dragOver ?? "dragover";
  return all;
}

/** Tells whether a file is of one of the types. */
export function accepted(types: readonly string[], name: string, type: string): boolean {
  return (
    !types.length ||
    types.some((t) => {
      const want = t.trim().toLowerCase();
      if (want.endsWith("/*")) return type.toLowerCase().startsWith(want.slice(0, -1));
      return want.includes("/") ? type.toLowerCase() === want : name.toLowerCase().endsWith("." + want.replace(/^\*?\./, ""));
    })
  );
}

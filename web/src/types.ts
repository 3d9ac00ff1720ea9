/**
 * The public interface of the muleteer client: what an `Uploader` takes, tells
 * and does. Nothing here needs a document; it runs in pages, workers and Node.
 *
 * Times are milliseconds, sizes and offsets bytes, progress runs from 0 to 1.
 */

/** What can be uploaded. A stream is sent as it comes; it cannot be resumed after a reload. */
export type Source = File | Blob | ReadableStream<Uint8Array>;

/**
 * Where an item is:
 *
 * - `queued`    not begun
 * - `checking`  the server is asked what it has already
 * - `uploading` bytes are on their way
 * - `waiting`   goes on by itself: see `waitingFor` and `retryIn()`
 * - `paused`    nothing is sent until `resume()`
 * - `verifying` all bytes are sent; the server finishes the file, and the result is compared
 * - `done`      the server has the whole file: see `result`
 * - `failed`    does not go on by itself: see `error`; `retry()` keeps what was sent
 * - `cancelled` removed here and on the server
 */
export type State =
  | "queued"
  | "checking"
  | "uploading"
  | "waiting"
  | "paused"
  | "verifying"
  | "done"
  | "failed"
  | "cancelled";

/**
 * Why an item waits: the device is offline, another tab uploads the same file,
 * or a request failed and is repeated after a while. Only the last has a
 * `retryAt`.
 */
export type WaitingFor = "offline" | "tab" | "retry";

/** Where the cause of an error is, as far as it can be told. */
export type Blame = "file" | "you" | "network" | "server" | "device" | "page";

/** What can go wrong. Each code has a sentence in the table of messages. */
export type ErrorCode =
  // The item waits and goes on by itself.
  | "offline" // this device has no connection
  | "network" // no answer: the line or the server
  | "busy" // 503 and other 5xx, 408, 423, 425
  | "slow-down" // 429
  | "full" // 507: no space on the server
  | "foreign" // a web page or something else answered in the server's place
  | "damaged" // bytes arrived as others
  | "clock" // the clock of this device is wrong or has jumped, and requests fail
  | "tab" // another tab uploads the file
  // The item has failed; retry() keeps what was sent.
  | "unauthorised" // 401, and no new token was to be had; setToken() goes on
  | "forbidden" // 403
  | "not-found" // 404, 405, 410 and such: no upload server at the address
  | "too-large" // 413 by the server: the file; maxFileSize
  | "too-large-chunk" // 413 by a proxy even for the smallest chunk
  | "refused" // any other 4xx
  | "unreadable" // the file vanished or cannot be read
  | "changed" // another content than that which was begun; retry() begins anew
  | "mismatch" // the finished file is not the one that was sent; retry() begins anew
  | "stream" // the stream failed, or the server lost bytes of it
  // addFiles() leaves the file out.
  | "too-small"
  | "too-many"
  | "file-type"
  | "duplicate"
  // Only its todo is used: for what usually passes and has not.
  | "gave-up"
  // A function of the page threw.
  | "page";

/** A sentence for people: what happened, and what they can do. Words in braces are replaced: {name} {status} {detail} {limit}. */
export interface Message {
  what: string;
  todo: string;
}

/** The sentences by code; replace some or all of them for another language. */
export type Messages = Record<ErrorCode, Message>;

export interface UploadError extends Error {
  readonly name: "UploadError";
  readonly code: ErrorCode;
  /** What happened, one sentence. `message` is `what` and `todo`. */
  readonly what: string;
  /** What the person can do, or what happens by itself; one sentence. */
  readonly todo: string;
  readonly whose: Blame;
  /** HTTP status; 0 if there was no answer or no request. */
  readonly status: number;
  /** The server's own words, or those of the exception; may be empty. Not for HTML. */
  readonly detail: string;
  /** The item goes on by itself. */
  readonly passing: boolean;
}

/** The finished file as the server tells it. */
export interface Result {
  id: string;
  name: string;
  size: number;
  type: string;
  state: string;
  /** Base64, if the server knows it. */
  crc64nvme?: string;
  /** Where the file can be read. */
  url?: string;
  created: string;
  [more: string]: unknown;
}

/** What is said of one file beside the file itself. */
export interface AddOptions {
  /** Name on the server; default: the file's. */
  name?: string;
  /** Path within a folder, "holiday/day1/a.jpg"; default: webkitRelativePath. */
  path?: string;
  /** Media type; default: the file's. */
  type?: string;
  /** Names the upload in place of the computed fingerprint. */
  fingerprint?: string;
  /** Kept in IndexedDB, so that restore() continues without asking for the file. */
  handle?: FileSystemFileHandle;
  /** Is kept at the item and never sent. */
  context?: unknown;
}

/** A function is called for each request, with what the client itself says of it in headers. */
type Given<T> = T | ((item: UploadItem, about: Readonly<Record<string, string>>) => T | Promise<T>);

export interface Options {
  /**
   * Where to: the path that names are put behind; default "/upload/". Several
   * addresses of one server give connections of their own where HTTP/2 would
   * put all workers onto one; requests take turns, and an address that fails is
   * left alone for a while. The first one names the server for resuming: keep
   * it, and change the others as you like. `endpoint` is another word for
   * `target`.
   */
  target?: string | readonly string[];
  endpoint?: string | readonly string[];
  /** Bytes of one request; default 6 MiB, at most 95 MiB; smaller where the line or a proxy needs it. */
  chunkSize?: number;
  /** Requests at once, over all files; default 4. `simultaneousUploads` is another word for it. */
  workers?: number;
  simultaneousUploads?: number;
  /** A function that throws fails the item; one that does not answer within `timeout` is called again later. */
  headers?: Given<Record<string, string>>;
  /** Appended to the URL of every request. */
  query?: Given<Record<string, string | number | boolean>>;
  /** Sent as "Authorization: Bearer …". */
  token?: string;
  /**
   * Called once when the server says 401; what it returns is the new token, and
   * the upload goes on. Returning nothing gives up, until setToken(). If it
   * rejects, or does not answer within `timeout`, it is called again later.
   */
  refreshToken?: () => string | undefined | Promise<string | undefined>;
  withCredentials?: boolean;
  /** Files in one uploader; default no limit. */
  maxFiles?: number;
  minFileSize?: number;
  maxFileSize?: number;
  /** What may be added: extensions (".jpg", "jpg") and media types ("image/*"), as a list or with commas. */
  fileType?: string | readonly string[];
  /**
   * Names an upload: the same text means the same upload, today and tomorrow.
   * Default: a hash of name, path, size, lastModified and target.
   * `fingerprint` is another word for it.
   */
  generateUniqueIdentifier?: (file: Source, about: AddOptions) => string | Promise<string>;
  fingerprint?: (file: Source, about: AddOptions) => string | Promise<string>;
  /** Begin as soon as a file is added; default false: upload() begins. */
  autoStart?: boolean;
  /** Failures in a row after which an item fails; default: never for what may pass. `maxChunkRetries` is another word for it. */
  maxRetries?: number;
  maxChunkRetries?: number;
  /** Longest wait between two attempts; default 30 s. */
  maxRetryInterval?: number;
  /** How long a request may stand still; default 60 s. */
  timeout?: number;
  /** Compute checksums in a web worker; default true. Without one, this thread does it. */
  webWorker?: boolean;
  /**
   * How requests are sent; default XMLHttpRequest, or fetch where there is none.
   * `streams()` of "muleteer-client/streams" sends them over Socket.IO,
   * `direct()` of "muleteer-client/direct" sends pieces straight into a bucket.
   */
  send?: Sender;
  /** Remembers unfinished uploads; default IndexedDB where there is one; null remembers nothing. */
  memory?: Memory | null;
  messages?: Partial<Messages>;
}

/** An unfinished upload that was remembered on an earlier day. */
export interface Remembered {
  /** The upload's fingerprint. */
  key: string;
  /** The target, so that two servers are not mixed up. */
  target: string;
  name: string;
  path: string;
  size: number;
  lastModified: number;
  type: string;
  /** CRC-64/NVME of the first 64 KiB, base64, by which a changed file is noticed. */
  head: string;
  /** Began anew after a change, under another name on the server. */
  salt?: string;
  handle?: FileSystemFileHandle;
  /** When it was begun, milliseconds since 1970. */
  time: number;
}

/** Where unfinished uploads are remembered. All of it may fail: nothing depends on it. */
export interface Memory {
  get(key: string): Promise<Remembered | undefined>;
  all(): Promise<Remembered[]>;
  put(r: Remembered): void;
  delete(key: string): void;
}

/** How far one item or all of them are. */
export interface Stats {
  /** Bytes in all; of streams, what has come so far. */
  size: number;
  /** Bytes that the server has acknowledged. */
  acknowledged: number;
  /** Acknowledged, and what of the chunks under way has left, as far as the browser tells. */
  sent: number;
  /** 0 to 1. */
  progress: number;
  /** Smoothed, bytes per second. */
  speed: number;
  /** Milliseconds that are left; undefined while nobody can tell. Of all items: without failed ones, and files count as well as bytes. */
  eta: number | undefined;
}

export interface TotalStats extends Stats {
  /** Items, without cancelled ones. */
  files: number;
  done: number;
  failed: number;
  /** Items by state. */
  states: Record<State, number>;
}

/** One file on its way. `UploadFile` is what Resumable.js calls ResumableFile. */
export interface UploadItem {
  readonly uploader: Uploader;
  /** What was added. */
  readonly file: Source;
  readonly name: string;
  /** Path within a folder; "" for a single file. */
  readonly path: string;
  /** The names that Resumable.js has for name, path and key. */
  readonly fileName: string;
  readonly relativePath: string;
  readonly uniqueIdentifier: string;
  /** The fingerprint; "" until it is computed. */
  readonly key: string;
  /** -1 for a stream that has not ended. */
  readonly size: number;
  readonly type: string;
  readonly context: unknown;
  readonly state: State;
  /** Why it waits, if it does. */
  readonly waitingFor: WaitingFor | undefined;
  /** When it goes on: by Date.now(); undefined if it does not wait for a time. */
  readonly retryAt: number | undefined;
  /** Milliseconds until it goes on; right although the clock was set. */
  retryIn(): number | undefined;
  /** The reason of waiting or failure. */
  readonly error: UploadError | undefined;
  /** Once done. */
  readonly result: Result | undefined;
  /** Bytes that the server had already when it was asked first. */
  readonly resumedAt: number;
  /** Done without sending: the server had the whole file already. */
  readonly already: boolean;
  readonly acknowledged: number;
  readonly sent: number;
  /** Failures in a row. */
  readonly failures: number;
  progress(): number;
  readonly speed: number;
  readonly eta: number | undefined;
  stats(): Stats;
  isUploading(): boolean;
  isComplete(): boolean;
  isPaused(): boolean;
  pause(): void;
  /** Ends a pause. Begins if the uploader was not started. */
  resume(): void;
  /** Goes on after a failure, or at once if it waits. After "changed" and "mismatch" begins anew. */
  retry(): void;
  /**
   * Ends it here and on the server, and takes it out of the list, also after a
   * failure; what is done stays. The promise waits for the server, for some
   * attempts.
   */
  cancel(): Promise<void>;
  /** Resumable.js' word for pause. */
  abort(): void;
}

/** What listeners are called with. */
export interface Events {
  /** One file was added. `origin` is what was given to addFile, say the DOM event. */
  fileAdded: [item: UploadItem, origin?: unknown];
  /** One call has added files; `skipped` are those left out, with the reason. */
  filesAdded: [items: UploadItem[], skipped: Skipped[]];
  /** An item changed its state. */
  fileState: [item: UploadItem, before: State];
  /** At most ten times a second for each item. */
  fileProgress: [item: UploadItem];
  fileSuccess: [item: UploadItem, result: Result];
  /** An item failed. */
  fileError: [item: UploadItem, error: UploadError];
  /** An item waits to try again; error.what says why, item.retryIn() when. */
  fileRetry: [item: UploadItem, error: UploadError];
  fileRemoved: [item: UploadItem];
  /** At most ten times a second. */
  progress: [stats: TotalStats];
  /** Nothing is left to do: all items are done, failed or cancelled. */
  complete: [];
  uploadStart: [];
  pause: [];
  resume: [];
  cancel: [];
  /** Any failure: of an item, or of a file that was left out. */
  error: [error: UploadError, item?: UploadItem];
}

export type EventName = keyof Events;

export interface Skipped {
  file: Source;
  error: UploadError;
}

export interface Uploader {
  readonly options: Readonly<Options>;
  /** All items in the order in which they were added; cancelled ones are not in it. */
  readonly files: readonly UploadItem[];
  /** This browser can upload. */
  readonly support: boolean;
  /** upload() was called, and pause() not since. */
  readonly started: boolean;

  on<E extends EventName>(event: E, listener: (...args: Events[E]) => void): () => void;
  on(event: "catchAll", listener: (event: EventName, ...args: unknown[]) => void): () => void;
  off(event: EventName | "catchAll", listener?: (...args: any[]) => void): void;

  /** Adds one thing, and returns its item; undefined if it was left out. */
  add(source: Source, about?: AddOptions, origin?: unknown): Promise<UploadItem | undefined>;
  /** As Resumable.js: the second argument is the event that brought the file. */
  addFile(file: Source, origin?: unknown): Promise<UploadItem | undefined>;
  /** Adds many, with one filesAdded at the end. Entries may be [source, about] pairs. */
  addFiles(files: Iterable<Source | readonly [Source, AddOptions?]>, origin?: unknown): Promise<UploadItem[]>;

  /** Begins, or goes on after pause(). Items paused one by one stay paused. */
  upload(): void;
  /** Nothing is sent any more, requests under way end. */
  pause(): void;
  /** Cancels all items. */
  cancel(): Promise<void>;
  /** Retries all items that failed, and those that wait. */
  retry(): void;
  /** Takes an item out of the list; an unfinished one goes on the server too. */
  removeFile(item: UploadItem): Promise<void>;

  /** Of all items, 0 to 1. */
  progress(): number;
  stats(): TotalStats;
  /** Bytes of all items. */
  getSize(): number;
  isUploading(): boolean;
  getFromUniqueIdentifier(key: string): UploadItem | undefined;
  /** Gives a new token; what failed for want of one goes on. */
  setToken(token: string | undefined): void;

  /** Unfinished uploads to this target of earlier days that are not in the list. */
  remembered(): Promise<Remembered[]>;
  /**
   * Continues one from its file handle. `ask` may show the browser's question
   * for permission, and needs a click. Undefined if there is no handle, no
   * permission, or no such file any more: then ask for the file, and addFile()
   * finds the upload again.
   */
  restore(r: Remembered, ask?: boolean): Promise<UploadItem | undefined>;
  forget(r: Remembered): void;

  /** Ends everything here and nothing on the server; for pages that remove the uploader. */
  close(): void;
}

export interface UploaderConstructor {
  new (options?: Options): Uploader;
  /** This browser can upload. */
  readonly support: boolean;
  /** The features that are missing, by name; empty if support is true. */
  readonly missing: readonly string[];
}

/** What streams() may be told. */
export interface StreamsOptions {
  /** A connection that is not used for so many milliseconds is closed; default 60 s. */
  idle?: number;
}

/** What direct() may be told. */
export interface DirectOptions {
  /** For so many milliseconds a bucket that takes nothing is left alone; default 5 minutes. */
  rest?: number;
}

/** Sends one request; it never rejects. */
export interface Sender {
  (c: Call): Promise<Answer>;
  /** Milliseconds that a piece may take before smaller ones are tried; default 20 s. */
  patience?: number;
  /** Bytes that pieces should have, if those are more than chunkSize. It may change. */
  cell?: number;
}

/** An answer to a request. */
export interface Answer {
  /** 0: there was none. */
  status: number;
  header(name: string): string | null;
  text: string;
  /** The token that the request had. */
  token?: string | undefined;
  /** It came from an address that fails, and there is another one. */
  elsewhere?: boolean | undefined;
}

/** One request. */
export interface Call {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: Uint8Array<ArrayBuffer> | undefined;
  credentials?: boolean | undefined;
  /** Milliseconds for which nothing may move. */
  timeout: number;
  signal?: AbortSignal | undefined;
  progress?: ((bytes: number) => void) | undefined;
}

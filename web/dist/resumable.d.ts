/**
 * The interface of Resumable.js, as its documentation has it, over the muleteer
 * client. What differs is said at each name.
 *
 * Times are milliseconds where nothing else is said, sizes and offsets bytes,
 * progress runs from 0 to 1.
 */

/** What is sent as parameters beside the bytes. */
export type Query = Record<string, string | number | boolean | null | undefined>;

export interface ResumableOptions {
  /** Where to; default "/", which is the server's front door. A function is asked once. A muleteer server has to be there. */
  target?: string | ((parameters: string[]) => string);
  /** Not used: what is here is asked at the target. Default null. */
  testTarget?: string | ((parameters: string[]) => string) | null;
  /** Bytes of one chunk; default 1 MiB. A bad line or a proxy may make them smaller. */
  chunkSize?: number;
  /** The last chunk is no larger than the others; default false: then it may be twice as large. */
  forceChunkSize?: boolean;
  /** Requests at once, over all files; default 3. */
  simultaneousUploads?: number;
  /** Not used: a chunk is the body itself. Default "file". */
  fileParameterName?: string;
  /** Names of the parameters in the query of each request; a falsy name leaves one out. */
  chunkNumberParameterName?: string | null | false;
  chunkSizeParameterName?: string | null | false;
  currentChunkSizeParameterName?: string | null | false;
  totalSizeParameterName?: string | null | false;
  typeParameterName?: string | null | false;
  identifierParameterName?: string | null | false;
  fileNameParameterName?: string | null | false;
  relativePathParameterName?: string | null | false;
  totalChunksParameterName?: string | null | false;
  /** Further parameters, which go before those above; the chunk is undefined for requests that have none. Default {}. */
  query?: Query | ((file: ResumableFile, chunk: ResumableChunk | undefined) => Query | Promise<Query>);
  /** Further headers; default {}. */
  headers?: Record<string, string> | ((file: ResumableFile, chunk: ResumableChunk | undefined) => Record<string, string> | Promise<Record<string, string>>);
  /** What stands before the name of each parameter; default "". */
  parameterNamespace?: string;
  /** Not used: chunks are sent by PUT, as they are. Defaults "GET", "POST", "multipart" and "blob". */
  testMethod?: string;
  uploadMethod?: string;
  method?: string;
  chunkFormat?: string;
  /** Send the first and the last chunk of all files before the others; default false. */
  prioritizeFirstAndLastChunk?: boolean;
  /** Ask what is here before sending; default true. One request for each file tells it. */
  testChunks?: boolean;
  /** Is called for each chunk before it is sent; it goes on when the chunk's preprocessFinished() is called. */
  preprocess?: ((chunk: ResumableChunk) => void) | null;
  /** The same for each file. */
  preprocessFile?: ((file: ResumableFile) => void) | null;
  /** Names an upload, today and tomorrow. Default null: a hash of name, path, size, date and target. */
  generateUniqueIdentifier?: ((file: File, event?: unknown) => string | Promise<string>) | null;
  /** How many files; default undefined, no limit. With 1, another file takes the place of the one. */
  maxFiles?: number;
  /** Called with files that are too many, instead of an alert. */
  maxFilesErrorCallback?: (files: File[], errorCount: number) => void;
  /** Default 1: files without a byte are left out. */
  minFileSize?: number;
  minFileSizeErrorCallback?: (file: File, errorCount: number) => void;
  maxFileSize?: number;
  maxFileSizeErrorCallback?: (file: File, errorCount: number) => void;
  /** Extensions and media types ("jpg", "image/*"); default [], all. `fileTypes` is another word for it. */
  fileType?: string[];
  fileTypes?: string[];
  fileTypeErrorCallback?: (file: File, errorCount: number) => void;
  /** Failures in a row after which a file fails; default undefined, never. */
  maxChunkRetries?: number;
  /** The longest wait before a chunk is sent again; default undefined: up to half a minute, longer after each failure. */
  chunkRetryInterval?: number;
  /** Statuses that end an upload, beside those that the client knows to be final. The default is the documented list and changes nothing. */
  permanentErrors?: number[];
  withCredentials?: boolean;
  /** How long a request may stand still; default 0, a minute. */
  xhrTimeout?: number;
  /** Always so: the server keeps the file's type. Default false. */
  setChunkTypeFromFile?: boolean;
  /** Class of a drop target while something is held over it; default "dragover". `dragOver` is another word for it. */
  dragOverClass?: string;
  dragOver?: string;
  /** Seconds between two events of progress of one file; default 0.5. */
  throttleProgressCallbacks?: number;
  /** An input forgets what was chosen, so that it can be chosen again; default true. */
  clearInput?: boolean;
}

export interface ResumableEvents {
  /** The file is there. `message` is the server's answer, JSON. */
  fileSuccess: [file: ResumableFile, message: string];
  fileProgress: [file: ResumableFile, message?: string];
  fileAdded: [file: ResumableFile, event?: unknown];
  filesAdded: [files: ResumableFile[], skipped: File[]];
  /** It is tried again after a failure. */
  fileRetry: [file: ResumableFile];
  /** The upload has failed. `message` says what happened and what to do. */
  fileError: [file: ResumableFile, message: string];
  uploadStart: [];
  /** Nothing is left to do. */
  complete: [];
  progress: [];
  error: [message: string, file: ResumableFile];
  pause: [];
  beforeCancel: [];
  cancel: [];
  chunkingStart: [file: ResumableFile];
  chunkingProgress: [file: ResumableFile, ratio: number];
  chunkingComplete: [file: ResumableFile];
}

/** A node, a list of nodes, or what jQuery makes of them. */
export type Nodes = Element | ArrayLike<Element>;

export interface Resumable {
  /** This browser can upload. */
  readonly support: boolean;
  readonly opts: ResumableOptions;
  readonly files: ResumableFile[];

  /** Lets people choose files, or a folder, by a click on nodes. */
  assignBrowse(nodes: Nodes, isDirectory?: boolean): void;
  /** Lets people drop files and folders onto nodes. */
  assignDrop(nodes: Nodes): void;
  unAssignDrop(nodes: Nodes): void;
  /** The names of events may be written in any case. */
  on<E extends keyof ResumableEvents>(event: E, callback: (...args: ResumableEvents[E]) => void): void;
  on(event: "catchAll", callback: (event: keyof ResumableEvents, ...args: any[]) => void): void;
  on(event: string, callback: (...args: any[]) => void): void;
  /** Begins, or goes on. */
  upload(): void;
  pause(): void;
  /** Ends all uploads, here and on the server, and empties the list. */
  cancel(): void;
  progress(): number;
  isUploading(): boolean;
  addFile(file: File, event?: unknown): void;
  addFiles(files: ArrayLike<File>, event?: unknown): void;
  removeFile(file: ResumableFile): void;
  getFromUniqueIdentifier(uniqueIdentifier: string): ResumableFile | undefined;
  /** Bytes of all files. */
  getSize(): number;
  getOpt(name: string): unknown;
  /** Sends other parameters from now on. */
  updateQuery(query: ResumableOptions["query"]): void;
}

export interface ResumableFile {
  readonly resumableObj: Resumable;
  readonly file: File;
  readonly fileName: string;
  readonly relativePath: string;
  readonly size: number;
  readonly uniqueIdentifier: string;
  readonly chunks: readonly ResumableChunk[];
  /** With true, as a share of all files. */
  progress(relative?: boolean): number;
  /** Stops until upload() or retry(). */
  abort(): void;
  /** Ends it, here and on the server, and takes it out of the list. */
  cancel(): void;
  /** Tries again; what was sent is kept. */
  retry(): void;
  /** Forgets what is believed to be on the server, and asks. */
  bootstrap(): void;
  /** Stops, or with false goes on. */
  pause(paused?: boolean): void;
  isPaused(): boolean;
  isUploading(): boolean;
  isComplete(): boolean;
  /** Says that preprocessFile has done its work. */
  preprocessFinished(): void;
}

export interface ResumableChunk {
  readonly resumableObj: Resumable;
  readonly fileObj: ResumableFile;
  readonly fileObjSize: number;
  /** Its number, from 0. */
  readonly offset: number;
  readonly startByte: number;
  readonly endByte: number;
  status(): "pending" | "uploading" | "success" | "error";
  /** With true, as a share of the file. */
  progress(relative?: boolean): number;
  /** Says that preprocess has done its work. */
  preprocessFinished(): void;
}

export interface ResumableConstructor {
  new (options?: ResumableOptions): Resumable;
  /** Without new it is the same. */
  (options?: ResumableOptions): Resumable;
  readonly support: boolean;
}

export declare const Resumable: ResumableConstructor;
export default Resumable;

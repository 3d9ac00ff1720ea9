// One file on its way, as Mule Uploader sends it: the backend is asked for a key,
// the bucket for an upload; chunks go by several workers; a list tells what is
// there, and when all is, the upload is completed.

import { backOff } from "../answer.js";
import { host, sign, type Session } from "./sign.js";
import { type Answer, Passing, parsed, pause, refused, Refused, send } from "./wire.js";

export type State = "queued" | "asking" | "sending" | "finishing" | "paused" | "done" | "failed";

/** What a page is told of its server. */
export interface Place {
  backend: string; // URL, with a slash at its end
  chunk: number; // bytes
  token: string; // "" for none
}

/** How many chunks are on their way at once. */
const workers = 4;

/** How often a file begins anew, or a list tells of missing chunks, until that is no accident. */
const most = 5;

interface Part {
  number: number;
  size: number;
  etag: string;
}

/** Anew says that the server has forgotten the upload. */
class Anew extends Error {}

export class Upload {
  state: State = "queued";
  /** What is in the way at the moment, or why it failed. */
  trouble = "";
  /** The status of the answer for which it failed, 0 for none. */
  status = 0;
  /** Where the file can be read. */
  location = "";
  /** Bytes that were here when it went on. */
  before = 0;
  /** Whether to begin anew, whatever is here. */
  force = false;

  private stop = new AbortController();
  private session!: Session;
  private id = "";
  private chunk = 0;
  private here = new Set<number>();
  private leaving = new Map<number, number>();

  constructor(readonly file: File, private readonly place: () => Place, private readonly changed: () => void) {}

  /** Bytes that are there or on their way. */
  get sent(): number {
    let n = this.state === "done" ? this.file.size : 0;
    if (n) return n;
    for (const number of this.here) n += this.length(number);
    for (const bytes of this.leaving.values()) n += bytes;
    return Math.min(n, this.file.size);
  }

  /** run returns when the file is there, or failed, or was paused. */
  async run(): Promise<void> {
    this.stop = new AbortController();
    [this.trouble, this.status, this.before] = ["", 0, 0];
    this.turn("asking");
    try {
      for (let times = 0; ; times++) {
        try {
          await this.once();
          break;
        } catch (e) {
          if (!(e instanceof Anew)) throw e;
          if (times === most) throw new Refused(404, "The server forgets this upload each time. Its log may say why.");
          this.force = true;
        }
      }
      this.trouble = "";
      this.force = false;
      this.turn("done");
    } catch (e) {
      if (this.stop.signal.aborted) return this.turn("paused"); // what was in its last step may have said something else
      this.stop.abort(); // the other workers
      this.trouble = e instanceof Error ? e.message : String(e);
      this.status = e instanceof Refused ? e.status : 0;
      this.turn("failed");
    } finally {
      this.leaving.clear();
      this.changed();
    }
  }

  /** Ends what is under way; run, called again, goes on. */
  pause(): void {
    this.turn("paused");
    this.stop.abort();
  }

  private turn(state: State): void {
    this.state = state;
    this.changed();
  }

  /** once sends the file from what the backend says to its end. */
  private async once(): Promise<void> {
    this.here.clear();
    await this.ask();
    this.id = this.session.upload_id ?? (await this.begin());
    let parts: Part[] = this.session.upload_id ? await this.list() : [];
    const usual = this.place().chunk;
    const first = parts.find((p) => p.number === 1)?.size ?? 0;
    this.chunk = first > 0 && first < this.file.size ? first : usual; // it may have been begun by a page with others
    this.note(parts);
    this.before = this.sent;
    for (let times = 0; times < most; times++) {
      this.turn("sending");
      await this.fly(this.missing(parts));
      this.turn("finishing");
      parts = await this.list();
      this.note(parts);
      if (this.missing(parts).length === 0 && (await this.complete(parts))) return;
    }
    throw new Refused(0, "The server loses chunks of this file. Its log may say why.");
  }

  /** ask has the backend begin the upload, or find it again. */
  private async ask(): Promise<void> {
    const fields = this.fields();
    if (this.force) fields.set("force", "true");
    const a = await this.patiently("GET", () => `${this.place().backend}signing_key/?${query(fields)}`);
    if (a.status !== 200) throw refused(a);
    let s: Session;
    try {
      s = JSON.parse(a.text) as Session;
    } catch {
      throw new Refused(a.status, "What answers at the backend's path is no backend of Mule Uploader.");
    }
    const at = host(s).split("/")[0];
    if (at !== location.host) throw new Refused(0, `The server is called ${at}, and this page came from ${location.host}: open it there.`);
    this.session = s;
  }

  private fields(): URLSearchParams {
    const { name, size, type, lastModified } = this.file;
    const { token } = this.place();
    return new URLSearchParams({
      ...(token && { upload_token: token }),
      filename: name, filesize: String(size), content_type: type, last_modified: String(lastModified),
    });
  }

  private async begin(): Promise<string> {
    const headers = {
      "Content-Disposition": `attachment; filename=${encodeURIComponent(this.file.name)}`,
      "Content-Type": this.session.content_type,
      "x-amz-acl": "public-read", // as the original has it; the server does not hear it
    };
    const a = await this.signed("POST", "uploads=", { headers });
    const id = parsed(a.text)?.querySelector("UploadId")?.textContent;
    if (!id) throw refused(a);
    return id;
  }

  private async list(): Promise<Part[]> {
    const a = await this.signed("GET", `uploadId=${this.id}`);
    const found = parsed(a.text);
    if (!found) throw refused(a);
    return Array.from(found.querySelectorAll("Part"), (p) => {
      const text = (name: string): string => p.querySelector(name)?.textContent ?? "";
      return { number: +text("PartNumber"), size: +text("Size"), etag: text("ETag") };
    });
  }

  /** complete tells whether that was the end; if not, chunks are missing. */
  private async complete(parts: Part[]): Promise<boolean> {
    const list = parts.map((p) => `<Part><PartNumber>${p.number}</PartNumber><ETag>${p.etag}</ETag></Part>`).join("");
    const body = `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`;
    const a = await this.signed("POST", `uploadId=${this.id}`, { body, patient: true }, 400);
    if (a.status !== 200 && !a.text.includes("EntityTooSmall")) throw refused(a);
    if (a.status === 200) this.location = parsed(a.text)?.querySelector("Location")?.textContent ?? "";
    return a.status === 200;
  }

  private get count(): number {
    return Math.ceil(this.file.size / this.chunk);
  }

  private length(number: number): number {
    return Math.min(this.chunk, this.file.size - (number - 1) * this.chunk);
  }

  /** The last chunk of a file that is a multiple of chunks is told to be empty: so all versions want it. */
  private is(p: Part): boolean {
    return p.size === (p.number < this.count ? this.chunk : this.file.size % this.chunk);
  }

  private note(parts: Part[]): void {
    this.here = new Set(parts.filter((p) => this.is(p)).map((p) => p.number));
    this.changed();
  }

  private missing(parts: Part[]): number[] {
    const here = new Set(parts.filter((p) => this.is(p)).map((p) => p.number));
    return Array.from({ length: this.count }, (_, i) => i + 1).filter((number) => !here.has(number));
  }

  /** fly sends chunks by the workers. */
  private async fly(numbers: number[]): Promise<void> {
    const queue = numbers.values();
    const one = async (): Promise<void> => {
      for (const number of queue) await this.put(number);
    };
    await Promise.all(Array.from({ length: workers }, one));
  }

  private async put(number: number): Promise<void> {
    const at = (number - 1) * this.chunk;
    const body = this.file.slice(at, at + this.length(number));
    const moved = (bytes: number): void => {
      this.leaving.set(number, Math.min(bytes, body.size));
      this.changed();
    };
    const a = await this.signed("PUT", `partNumber=${number}&uploadId=${this.id}`, { body, moved });
    if (a.status !== 200) throw refused(a);
    this.leaving.delete(number);
    this.here.add(number);
    this.changed();
    const fields = new URLSearchParams({ chunk: String(number - 1), key: this.session.key, upload_id: this.id });
    for (const [name, value] of this.fields()) fields.set(name, value);
    void send("GET", `${this.place().backend}chunk_loaded/?${query(fields)}`, this.stop.signal).catch(() => undefined); // nobody waits for it
  }

  /** signed sends a request to the bucket. An answer that is neither 200 nor allowed is an error. */
  private async signed(method: string, operation: string, o: Parameters<typeof send>[3] = {}, allowed = 200): Promise<Answer> {
    const url = (): string => location.protocol + sign(this.session, method, operation, o.headers ?? {}, new Date());
    const a = await this.patiently(method, url, o);
    if (a.status === 404) throw new Anew();
    if (a.status !== 200 && a.status !== allowed) throw refused(a);
    return a;
  }

  /** patiently sends a request until there is an answer to it. */
  private async patiently(method: string, url: () => string, o: Parameters<typeof send>[3] = {}): Promise<Answer> {
    const { signal } = this.stop;
    for (let failures = 1; ; failures++) {
      try {
        const a = await send(method, url(), signal, o);
        this.trouble = "";
        return a;
      } catch (e) {
        if (!(e instanceof Passing) || signal.aborted) throw e;
        await this.readable();
        this.trouble = e.message;
        o.moved?.(0);
        this.changed();
        await pause(backOff(failures + 2), signal);
      }
    }
  }

  /** A request for a file that has changed ends as if the line had. */
  private async readable(): Promise<void> {
    try {
      await this.file.slice(0, 1).arrayBuffer();
    } catch {
      throw new Refused(0, "The file cannot be read any more. Choose it again.");
    }
  }
}

/** Blanks are %20, as encodeURIComponent has them. */
const query = (fields: URLSearchParams): string => Array.from(fields, ([k, v]) => `${k}=${encodeURIComponent(v)}`).join("&");

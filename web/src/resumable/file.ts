import type { Item } from "../item.js";
import { Chunk, Gate } from "./chunk.js";
import { Ordered } from "./order.js";
import type { Resumable } from "./resumable.js";
import type * as api from "./types.js";

/** A file as pages know it, over an item of the client. */
export class ResumableFile implements api.ResumableFile {
  readonly gate = new Gate();
  readonly file: File;
  readonly fileName: string;
  readonly relativePath: string;
  chunks: Chunk[] = [];
  /** It was stopped by abort(), which upload() ends. */
  aborted = false;
  /** When its progress was told last. */
  told = 0;
  /** Failures since a chunk has arrived, and how much was there then. */
  private failures = 0;
  private reached = 0;

  constructor(
    readonly resumableObj: Resumable,
    readonly item: Item,
    readonly uniqueIdentifier: string,
  ) {
    this.file = item.file as File;
    this.fileName = item.name;
    this.relativePath = item.relativePath;
    item._pieces = new Ordered(item.size, {
      chunkSize: this.chunkSize,
      tail: this.tail,
      blind: !resumableObj.opts.testChunks,
      ends: !!resumableObj.opts.prioritizeFirstAndLastChunk,
      others: () => resumableObj.files.some((f) => f !== this && f.waitsWithEnds()),
    });
    this.cut();
  }

  get size(): number {
    return this.item.size;
  }
  private get chunkSize(): number {
    return Math.max(1, Math.floor(this.resumableObj.opts.chunkSize));
  }
  /** Where the last chunk begins. */
  private get tail(): number {
    const round = this.resumableObj.opts.forceChunkSize ? Math.ceil : Math.floor;
    return Math.max(round(this.size / this.chunkSize) - 1, 0) * this.chunkSize;
  }

  /** Its first or last chunk can go, or soon can. */
  waitsWithEnds(): boolean {
    const i = this.item;
    if (i._final || i._paused || i._otherTab || i.error || i._finishing) return false;
    return !i._begun || !i._asked || (i._pieces as Ordered)._endsMissing;
  }

  /** Counts a failure, and returns how many there were in a row. */
  failed(): number {
    const here = this.item.acknowledged;
    if (here > this.reached) this.failures = 0;
    this.reached = here;
    return ++this.failures;
  }

  private cut(): void {
    const { tail, size, chunkSize } = this;
    const r = this.resumableObj;
    r.fire("chunkingStart", this);
    this.chunks = Array.from({ length: tail / chunkSize + 1 }, (_, n) => {
      const start = n * chunkSize;
      return new Chunk(this, this.item, n, start, start === tail ? size : start + chunkSize);
    });
    r.fire("chunkingProgress", this, 1);
    r.fire("chunkingComplete", this);
  }

  /** The chunk to which a byte belongs. */
  at(byte: number): Chunk {
    return this.chunks[Math.min(Math.floor(byte / this.chunkSize), this.chunks.length - 1)]!;
  }

  progress(relative = false): number {
    const share = this.item.progress();
    return relative ? (share * this.size) / Math.max(this.resumableObj.getSize(), 1) : share;
  }

  abort(): void {
    this.aborted = true;
    this.item.pause();
  }
  pause(paused = true): void {
    this.aborted = false;
    if (paused) this.item.pause();
    else if (this.isPaused()) this.item.resume();
  }
  cancel(): void {
    this.resumableObj.removeFile(this);
  }
  retry(): void {
    this.aborted = false;
    this.failures = 0;
    this.item.retry();
  }
  bootstrap(): void {
    const { item } = this;
    if (item.isComplete()) return;
    item._pieces._stop();
    item._pieces._fresh = [];
    item._pieces._sums.clear();
    item._pieces._stands([]);
    item._asked = false;
    this.cut();
    if (item._final) this.retry();
    else item._go();
  }

  isPaused(): boolean {
    return !!this.item._paused;
  }
  isUploading(): boolean {
    return this.resumableObj.started && this.item.isUploading();
  }
  isComplete(): boolean {
    return this.item.isComplete() || this.item.state === "failed";
  }
  preprocessFinished(): void {
    this.gate.finish();
  }
}

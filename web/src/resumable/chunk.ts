import type { Item } from "../item.js";
import type { ResumableFile } from "./file.js";
import type * as api from "./types.js";

/** A wait for the page to say that it has done its work, once. */
export class Gate {
  private opened: Promise<void> | undefined;
  private open: (() => void) | undefined;

  /** Calls begin at the first time, and waits until finish is called. */
  pass(begin: (() => void) | undefined): Promise<void> | undefined {
    if (!begin) return undefined;
    if (!this.opened) {
      this.opened = new Promise((done) => (this.open = done));
      begin();
    }
    return this.opened;
  }
  finish(): void {
    this.opened ??= Promise.resolve();
    this.open?.();
  }
}

/** A part of a file as pages know it. What is on its way may be cut otherwise where the line needs it. */
export class Chunk implements api.ResumableChunk {
  readonly gate = new Gate();

  constructor(
    readonly fileObj: ResumableFile,
    private readonly item: Item,
    readonly offset: number,
    readonly startByte: number,
    readonly endByte: number,
  ) {}

  get resumableObj() {
    return this.fileObj.resumableObj;
  }
  get fileObjSize(): number {
    return this.item.size;
  }

  status(): "pending" | "uploading" | "success" | "error" {
    const { startByte: from, endByte: to, item } = this;
    if (item.isComplete()) return "success";
    if (item.state === "failed") return "error";
    const meets = ([a, b]: readonly [number, number]): boolean => a < to && b > from;
    if (Array.from(item._pieces._flights, (f) => [f.start, f.end] as const).some(meets)) return "uploading";
    // Of a file without a byte nothing is missing before it is there.
    return from === to || !item._asked || item._pieces._missing.some(meets) ? "pending" : "success";
  }

  progress(relative = false): number {
    const { startByte: from, endByte: to, item } = this;
    const n = to - from;
    let left = 0;
    for (const [a, b] of item._pieces._missing) left += Math.max(0, Math.min(b, to) - Math.max(a, from));
    for (const f of item._pieces._flights) {
      left += Math.max(0, Math.min(f.end, to) - Math.max(f.start + f.sent, from));
    }
    const share = item.isComplete() ? 1 : n ? 1 - left / n : 0;
    return relative ? share * (item.size ? n / item.size : 1) : share;
  }

  preprocessFinished(): void {
    this.gate.finish();
  }
}

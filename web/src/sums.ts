// Reading and summing up: in a worker where there is one, so that a page stays
// smooth, else here.

import { join, makeSum } from "./crc.js";

/** Bytes that were read, with their checksum. */
export interface Summed {
  bytes: Uint8Array<ArrayBuffer>;
  crc: bigint;
}

type Waiting = { done: (s: Summed) => void; failed: (e: unknown) => void };

/** What is smaller is summed up sooner than a worker has heard of it. */
const worthwhile = 256 << 10;

const program = (): string => `const sum = (${makeSum})();
onmessage = async ({ data: [id, blob] }) => {
  try {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    postMessage([id, bytes, sum(bytes)], [bytes.buffer]);
  } catch (e) {
    postMessage([id, , , e.message]);
  }
}`;

export class Sums {
  _worker: Worker | undefined;
  _waiting = new Map<number, Waiting>();
  _last = 0;
  _sum: ReturnType<typeof makeSum> | undefined;

  _threads: boolean;

  /** With or without a worker. */
  constructor(threads: boolean) {
    this._threads = threads;
  }

  /** Reads a blob. It rejects with the browser's error if that cannot be read. */
  async read(blob: Blob): Promise<Summed> {
    try {
      if (this._threads && blob.size >= worthwhile) {
        this._worker ??= this._start();
        return await new Promise<Summed>((done, failed) => {
          const id = ++this._last;
          this._waiting.set(id, { done, failed });
          this._worker!.postMessage([id, blob]);
        });
      }
    } catch (e) {
      if (this._threads) throw e; // the file's fault and not the worker's
    }
    return this.sum(new Uint8Array(await blob.arrayBuffer()));
  }

  sum(bytes: Uint8Array<ArrayBuffer>): Summed {
    this._sum ??= makeSum();
    return { bytes, crc: join(this._sum(bytes)) };
  }

  _start(): Worker {
    this._threads = false; // unless all of this succeeds
    const worker = new Worker(URL.createObjectURL(new Blob([program()], { type: "text/javascript" })));
    worker.onmessage = ({ data: [id, bytes, halves, message] }) => {
      const w = this._waiting.get(id);
      this._waiting.delete(id);
      if (halves) w?.done({ bytes, crc: join(halves) });
      else w?.failed(new Error(message));
    };
    // A page's policy may forbid the worker, and tells so only here.
    worker.onerror = () => {
      this._threads = false;
      this.close();
    };
    this._threads = true;
    return worker;
  }

  close(): void {
    this._worker?.terminate();
    this._worker = undefined;
    for (const w of this._waiting.values()) w.failed(new Error("ended"));
    this._waiting.clear();
  }
}

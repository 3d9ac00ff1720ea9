// Reading and summing up: in a worker where there is one, so that a page stays
// smooth, else here.

import { makeSum } from "./crc.js";
import { ended, within } from "./within.js";

/** Bytes that were read, with their checksum. */
export interface Summed {
  bytes: Uint8Array<ArrayBuffer>;
  crc: bigint;
}

type Waiting = { done: (s: Summed) => void; failed: (e: unknown) => void };

/** What is smaller is summed up sooner than a worker has heard of it. */
const worthwhile = 256 << 10;

/** Browsers fail to read what is there: how often it is read, with a wait that grows from a twentieth of a second to some. */
const attempts = 5;
/** So long a megabyte may take, in milliseconds, and a file before its first byte: disks wake up. */
const slowest = 30_000;

/** What the worker does. It uses nothing from outside, because its text is the program. */
const work = (sum: ReturnType<typeof makeSum>): void => {
  onmessage = async ({ data: [id, blob] }) => {
    try {
      const bytes = new Uint8Array(await blob.arrayBuffer());
      postMessage([id, bytes, sum(bytes)], { transfer: [bytes.buffer] });
    } catch (e) {
      postMessage([id, 0, 0n, (e as Error).message]);
    }
  };
};

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

  /** Reads a blob. It rejects with the browser's error if that cannot be read, however often, or if the signal ends it. */
  async read(blob: Blob, signal?: AbortSignal): Promise<Summed> {
    for (let n = 0; ; n++) {
      try {
        return await within(this._once(blob, !n), slowest * (1 + blob.size / (1 << 20)), signal);
      } catch (e) {
        if (n + 1 >= attempts || signal?.aborted) throw e;
      }
      await new Promise((done) => setTimeout(done, 50 << (2 * n)));
    }
  }

  async _once(blob: Blob, threads: boolean): Promise<Summed> {
    if (threads && this._threads && blob.size >= worthwhile) {
      this._worker ??= this._start();
      return new Promise<Summed>((done, failed) => {
        const id = ++this._last;
        this._waiting.set(id, { done, failed });
        this._worker!.postMessage([id, blob]);
      });
    }
    return this.sum(new Uint8Array(await blob.arrayBuffer()));
  }

  sum(bytes: Uint8Array<ArrayBuffer>): Summed {
    this._sum ??= makeSum();
    return { bytes, crc: this._sum(bytes) };
  }

  _start(): Worker {
    this._threads = false; // unless all of this succeeds
    const worker = new Worker(URL.createObjectURL(new Blob([`(${work})((${makeSum})())`], { type: "text/javascript" })));
    worker.onmessage = ({ data: [id, bytes, crc, message] }) => {
      const w = this._waiting.get(id);
      this._waiting.delete(id);
      if (bytes) w?.done({ bytes, crc });
      else w?.failed(new Error(message));
    };
    // A page's policy may forbid the worker, and tells so only here.
    worker.onerror = worker.onmessageerror = () => {
      this._threads = false;
      this.close();
    };
    this._threads = true;
    return worker;
  }

  close(): void {
    this._worker?.terminate();
    this._worker = undefined;
    for (const w of this._waiting.values()) w.failed(ended);
    this._waiting.clear();
  }
}

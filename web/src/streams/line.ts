// One WebSocket to a server, with as much of Engine.IO 4 and Socket.IO 5 as
// uploads need.

import type { Call } from "../types.js";
import type { Told } from "./words.js";

/** How often it is looked how much has left, in milliseconds. */
const often = 100;

/** Who waits for an acknowledgement. */
interface Waiting {
  session: string;
  told: (t: Told) => void;
}

export class Line {
  /** Connections in a row that did not come about, before the first did. */
  failures = 0;
  /** The sessions that were begun, with the largest chunk that they take. */
  begun = new Map<string, number>();

  #socket: WebSocket | undefined;
  #open: Promise<WebSocket | undefined> | undefined;
  #ever = false;
  #acks = 0;
  #waiting = new Map<number, Waiting>();
  /** Bytes that were ever given to the socket. */
  #given = 0;
  #resting: ReturnType<typeof setTimeout> | undefined;

  /** Closes when it is not used for `idle` milliseconds. */
  constructor(readonly url: string, readonly token: string | undefined, readonly idle: number) {}

  /** Sends an event and waits for what the server tells of it. */
  async ask(c: Call, session: string, name: string, about: object = {}, chunk?: Uint8Array<ArrayBuffer>): Promise<Told> {
    const socket = await (this.#open ??= this.#connect(c.timeout));
    if (!socket || c.signal?.aborted) return { status: 0 };
    const ack = this.#acks++;
    return new Promise((done) => {
      const watch = this.#watch(socket, c, chunk?.length ?? 0);
      const told = (t: Told): void => {
        clearInterval(watch);
        this.#waiting.delete(ack);
        this.#rest();
        done(t);
      };
      this.#waiting.set(ack, { session, told });
      c.signal?.addEventListener("abort", () => told({ status: 0 }));
      // The quotes keep the name from being cut.
      const arg = chunk ? { chunk: { "_placeholder": true, num: 0 }, ...about } : about;
      const text = `4${chunk ? "51-" : "2"}${ack}${JSON.stringify([name, arg])}`;
      socket.send(text);
      if (chunk) socket.send(chunk);
      this.#given += text.length + (chunk?.length ?? 0);
      this.#rest();
    });
  }

  /** Tells how much of a chunk has left, and gives the line up when nothing moves. */
  #watch(socket: WebSocket, c: Call, n: number): ReturnType<typeof setInterval> {
    const start = this.#given;
    let left = -1;
    let since = Date.now();
    return setInterval(() => {
      const now = this.#given - socket.bufferedAmount;
      if (now !== left) {
        left = now;
        since = Date.now();
        if (n) c.progress?.(Math.min(Math.max(now - start, 0), n));
      } else if (Date.now() - since > c.timeout) {
        this.#drop();
      }
    }, often);
  }

  #connect(timeout: number): Promise<WebSocket | undefined> {
    return new Promise((done) => {
      const socket = (this.#socket = new WebSocket(this.url));
      socket.binaryType = "arraybuffer";
      const timer = setTimeout(() => this.#drop(), timeout);
      const ready = (): void => {
        clearTimeout(timer);
        this.#ever = true;
        done(socket);
      };
      socket.onmessage = (e) => this.#heard(socket, String(e.data), ready);
      socket.onclose = () => {
        clearTimeout(timer);
        if (!this.#ever) this.failures++;
        done(undefined);
        if (this.#socket === socket) this.#drop();
      };
    });
  }

  /** Ends the connection; the next request opens another one. */
  #drop(): void {
    const socket = this.#socket;
    this.#socket = this.#open = undefined;
    this.#given = 0;
    clearTimeout(this.#resting);
    this.begun.clear();
    for (const w of [...this.#waiting.values()]) w.told({ status: 0 });
    socket?.close();
  }

  #rest(): void {
    clearTimeout(this.#resting);
    if (!this.#waiting.size) this.#resting = setTimeout(() => this.#drop(), this.idle);
  }

  /** Works off one packet. */
  #heard(socket: WebSocket, text: string, ready: () => void): void {
    if (text[0] === "0") socket.send("40" + (this.token ? JSON.stringify({ token: this.token }) : ""));
    else if (text[0] === "2") socket.send("3");
    else if (text.startsWith("40")) ready();
    else if (text.startsWith("44") || text[0] === "1") socket.close();
    else if (text.startsWith("43")) {
      const [, ack, args] = /^43(\d+)(.*)$/s.exec(text) ?? [];
      this.#waiting.get(+ack!)?.told((JSON.parse(args!) as Told[])[0] ?? {});
    } else if (text.startsWith("42")) {
      const [name, sentence, more] = JSON.parse(text.slice(2)) as [string, string?, { status: number; ack: number }?];
      if (!name.startsWith("upload_error_")) return; // the acknowledgement has told of success
      for (const [ack, w] of [...this.#waiting]) {
        if (more ? ack === more.ack : name.endsWith(w.session)) w.told({ status: more?.status ?? 500, sentence: sentence ?? "" });
      }
    }
  }
}

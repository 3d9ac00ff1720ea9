// What goes over the wire, and what is made of its answers.

/** Refused is an answer that another attempt does not change. */
export class Refused extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/** Passing is trouble that goes away: the line, a server that is busy. */
export class Passing extends Error {}

/** An answer, read. */
export interface Answer {
  status: number;
  text: string;
}

/** stalled is how long a request may bring nothing forward, in milliseconds. */
const stalled = 15_000;

/**
 * send sends one request; moved hears of the bytes of body that have left. It throws Passing
 * where another attempt may help, and if the signal ends it.
 */
export function send(method: string, url: string, signal: AbortSignal, o: { headers?: Record<string, string>; body?: Blob | string; patient?: boolean; moved?: (bytes: number) => void } = {}): Promise<Answer> {
  return new Promise((ok, no) => {
    const x = new XMLHttpRequest();
    const end = (): void => x.abort();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const alive = (): void => {
      clearTimeout(timer);
      if (!o.patient) timer = setTimeout(end, stalled);
    };
    x.open(method, url);
    for (const [name, value] of Object.entries(o.headers ?? {})) x.setRequestHeader(name, value);
    x.upload.onprogress = (e) => {
      alive();
      o.moved?.(e.loaded);
    };
    x.onprogress = alive;
    x.onloadend = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      if (x.status === 0) no(new Passing(navigator.onLine === false ? "You are offline." : "The server cannot be reached."));
      else if (x.status >= 500 || x.status === 429 || x.status === 408) no(new Passing(said(x.responseText) || `The server is busy (${x.status}).`));
      else ok({ status: x.status, text: x.responseText });
    };
    signal.addEventListener("abort", end);
    alive();
    x.send(o.body ?? null);
    if (signal.aborted) end();
  });
}

/** said is the sentence in an answer, of a page or of a bucket. */
export function said(text: string): string {
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown };
    return typeof detail === "string" ? detail : "";
  } catch {
    return parsed(text)?.querySelector("Message")?.textContent ?? "";
  }
}

/** parsed is what a bucket answers, or nothing if it is none. */
export function parsed(text: string): Document | undefined {
  const found = new DOMParser().parseFromString(text, "application/xml");
  return found.querySelector("parsererror") ? undefined : found;
}

const todo: Record<number, string> = {
  401: "Give a token above.",
  403: "Give another token above, or ask who runs the server.",
  413: "Choose a smaller one.",
  415: "Choose another one.",
};

/** refused is the error for an answer that is no good. */
export function refused(a: Answer): Refused {
  const why = said(a.text).replace(/\.$/, "");
  const what = why ? `The server refuses this file: ${why}.` : `The server answered ${a.status}, which this page does not understand.`;
  return new Refused(a.status, `${what} ${todo[a.status] ?? "Its log may say more."}`);
}

/** pause waits, at most until the network is back; it throws if the signal ends it. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((ok, no) => {
    const over = (): void => {
      clearTimeout(timer);
      removeEventListener("online", over);
      signal.removeEventListener("abort", over);
      if (signal.aborted) no(new Passing("It was paused."));
      else ok();
    };
    const timer = setTimeout(over, ms);
    addEventListener("online", over);
    signal.addEventListener("abort", over);
    if (signal.aborted) over();
  });
}

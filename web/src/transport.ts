// One request and its answer. Browsers send by XMLHttpRequest, which tells how
// much has left; workers without it and Node by fetch, which is loaded there.

import type { Answer, Call } from "./types.js";

export type { Answer, Call };

export const none: Answer = { status: 0, header: () => null, text: "" };

export const send = async (c: Call): Promise<Answer> =>
  globalThis.XMLHttpRequest ? byXHR(c) : (await import("./fetch.js")).byFetch(c);

function byXHR(c: Call): Promise<Answer> {
  return new Promise((done) => {
    const x = new XMLHttpRequest();
    let timer: ReturnType<typeof setTimeout>;
    const moved = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => x.abort(), c.timeout);
    };
    const end = (a: Answer): void => {
      clearTimeout(timer);
      done(a);
    };
    x.open(c.method, c.url);
    x.withCredentials = c.credentials!;
    for (const name in c.headers) x.setRequestHeader(name, c.headers[name]!);
    // A listener makes a preflight of a request to another origin, so a query has none.
    if (c.body) {
      x.upload.onprogress = (e) => {
        moved();
        c.progress?.(e.loaded);
      };
    }
    x.onload = () => {
      // Asking for a header that another origin hides would be written to the console.
      const all = x.getAllResponseHeaders();
      end({ status: x.status, header: (name) => new RegExp(`^${name}: *(.*)`, "im").exec(all)?.[1] ?? null, text: x.responseText });
    };
    x.onerror = x.onabort = () => end(none);
    c.signal?.addEventListener("abort", () => x.abort());
    if (c.signal?.aborted) return end(none);
    moved();
    x.send(c.body ?? null);
  });
}

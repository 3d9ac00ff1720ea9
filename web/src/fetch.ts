import type { Answer, Call } from "./transport.js";

/** Sends one request where there is no XMLHttpRequest. */
export async function byFetch(c: Call): Promise<Answer> {
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  // What has left cannot be seen, so a slow line gets longer.
  const timer = setTimeout(abort, c.timeout * (1 + (c.body?.length ?? 0) / (1 << 20)));
  c.signal?.addEventListener("abort", abort);
  if (c.signal?.aborted) abort();
  try {
    const r = await fetch(c.url, {
      method: c.method,
      headers: c.headers,
      body: c.body ?? null,
      credentials: c.credentials ? "include" : "same-origin",
      signal: stop.signal,
    });
    return { status: r.status, header: (n) => r.headers.get(n), text: await r.text() };
  } catch {
    return { status: 0, header: () => null, text: "" };
  } finally {
    clearTimeout(timer);
    c.signal?.removeEventListener("abort", abort);
  }
}

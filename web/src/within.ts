// Nothing is waited for without an end.

/** What a promise fails with that took too long or was ended. */
export const ended = new Error("It took too long.");

/** What p gives, unless it takes longer than so many milliseconds, or the signal ends it. */
export const within = <T>(p: T | Promise<T>, ms: number, signal?: AbortSignal): Promise<T> =>
  new Promise((done, failed) => {
    const end = (): void => failed(ended);
    const timer = setTimeout(end, ms);
    if (signal?.aborted) end();
    signal?.addEventListener("abort", end);
    const over = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
    };
    Promise.resolve(p).then(done, failed).then(over);
  });

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

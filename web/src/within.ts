// Nothing is waited for without an end.

/** What a promise fails with that took too long or was ended. */
export const ended = new Error("It took too long.");

/** What p gives, unless it takes longer than so many milliseconds, or the signal ends it. Parts of the program come sooner. */
export const within = <T>(p: T | Promise<T>, ms = 3000, signal?: AbortSignal): Promise<T> =>
  new Promise((done, failed) => {
    const end = (): void => failed(ended);
    const timer = setTimeout(end, ms);
    if (signal?.aborted) end();
    signal?.addEventListener("abort", end);
    Promise.resolve(p)
      .then(done, failed)
      .then(() => clearTimeout(timer));
  });

// Two tabs never drive one upload: the one that holds its lock does.

export interface Lock {
  /** True once it is held; false if it was released before. */
  held: Promise<boolean>;
  release(): void;
}

/** Asks for a lock and calls `busy` if another tab has it. Where there are no locks, it is held at once. */
export function lock(name: string, busy: () => void): Lock {
  const locks = globalThis.navigator?.locks;
  const stop = new AbortController();
  const { signal } = stop;
  const held = new Promise<boolean>((done) => {
    const told = (): void => done(!signal.aborted); // also on a page that may have no locks
    const hold = (): Promise<void> =>
      new Promise((release) => {
        signal.addEventListener("abort", () => release());
        if (signal.aborted) release();
        told();
      });
    const first = (l: object | null): Promise<void> | void => {
      if (l) return hold();
      if (signal.aborted) return told();
      busy();
      locks.request(name, { signal }, hold).catch(told);
    };
    if (locks) locks.request(name, { ifAvailable: true }, first).catch(told);
    else told();
  });
  return { held, release: () => stop.abort() };
}

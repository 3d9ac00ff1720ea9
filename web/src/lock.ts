// Two tabs never drive one upload: the one that holds its lock does.

export interface Lock {
  /** True once it is held; false if it was released before. */
  held: Promise<boolean>;
  release(): void;
}

/** Asks for a lock and calls `busy` if another tab has it. Where there are no locks, it is held at once. */
export function lock(name: string, busy: () => void): Lock {
  const locks = globalThis.navigator?.locks;
  if (!locks) return { held: Promise.resolve(true), release() {} };
  const stop = new AbortController();
  let release!: () => void;
  const released = new Promise<void>((done) => (release = done));
  const held = new Promise<boolean>((done) => {
    const hold = (l: Lock | null | object): Promise<void> | undefined => {
      if (!l) return undefined;
      done(!stop.signal.aborted);
      return stop.signal.aborted ? undefined : released;
    };
    let taken = false;
    locks
      .request(name, { ifAvailable: true }, (l) => {
        taken = !!l;
        return hold(l);
      })
      .then(() => {
        if (taken || stop.signal.aborted) return done(false);
        busy();
        return locks.request(name, { signal: stop.signal }, hold);
      })
      .catch(() => done(!stop.signal.aborted)); // a page that may have no locks
  });
  return {
    held,
    release() {
      stop.abort();
      release();
    },
  };
}

// Who is told what.

import type { EventName, Events } from "./types.js";

type Listener = (...args: any[]) => void;

export class Emitter {
  _listeners = new Map<string, Set<Listener>>();

  on(event: string, listener: Listener): () => void {
    let all = this._listeners.get(event);
    if (!all) this._listeners.set(event, (all = new Set()));
    all.add(listener);
    return () => this.off(event, listener);
  }
  off(event: string, listener?: Listener): void {
    if (listener) this._listeners.get(event)?.delete(listener);
    else this._listeners.delete(event);
  }
  _emit<E extends EventName>(event: E, ...args: Events[E]): void {
    for (const name of [event, "catchAll"]) {
      for (const f of this._listeners.get(name) ?? []) {
        try {
          f(...(name === event ? args : [event, ...args]));
        } catch (e) {
          setTimeout(() => {
            throw e; // it is the page's, and must not stop the upload
          });
        }
      }
    }
  }
}

// How far all items are together.

import type { Item } from "./item.js";
import { Meter, eta } from "./meter.js";
import type { State, TotalStats } from "./types.js";

/** A file costs as much time as so many bytes more, because it costs a request. */
const fileCost = 64 << 10;

export class Totals {
  _bytes = new Meter();
  /** Bytes, with what files cost. */
  _work = new Meter();

  _of(items: readonly Item[]): TotalStats {
    const states: Record<State, number> = {
      queued: 0, checking: 0, uploading: 0, waiting: 0, paused: 0, verifying: 0, done: 0, failed: 0, cancelled: 0,
    };
    let size = 0;
    let acknowledged = 0;
    let sent = 0;
    let came = 0;
    let left = 0;
    for (const i of items) {
      const s = i.sent;
      const all = Math.max(i.size, s);
      states[i.state]++;
      size += all;
      acknowledged += i.acknowledged;
      sent += s;
      came += s - i.resumedAt;
      if (!i._final) left += all - s + fileCost;
    }
    const files = items.length;
    const { done, failed } = states;
    const speed = files > done + failed ? this._bytes.speed(came) : 0;
    const pace = this._work.speed(came + done * fileCost);
    const progress = size ? sent / size : done / files || 0;
    return { files, done, failed, states, size, acknowledged, sent, progress, speed, eta: eta(left, pace) };
  }
}

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
    const states = {} as Record<State, number>;
    for (const s of "queued checking uploading waiting paused verifying done failed cancelled".split(" ")) states[s as State] = 0;
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
    const open = files - done - failed;
    const speed = open ? this._bytes.speed(came) : 0;
    const pace = open ? this._work.speed(came + done * fileCost) : 0;
    const progress = size ? sent / size : files ? done / files : 0;
    return { files, done, failed, states, size, acknowledged, sent, progress, speed, eta: eta(left, pace) };
  }
}

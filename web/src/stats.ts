// How far all items are together.

import type { Item } from "./item.js";
import { type Meter, eta } from "./meter.js";
import type { State, TotalStats } from "./types.js";

export function totals(items: readonly Item[], meter: Meter, open: boolean): TotalStats {
  const states = {} as Record<State, number>;
  for (const s of "queued checking uploading waiting paused verifying done failed cancelled".split(" ")) states[s as State] = 0;
  let size = 0;
  let acknowledged = 0;
  let sent = 0;
  let came = 0;
  for (const i of items) {
    states[i.state]++;
    const s = i.sent;
    size += Math.max(i.size, s);
    acknowledged += i.acknowledged;
    sent += s;
    came += s - i.resumedAt;
  }
  const files = items.length;
  const { done, failed } = states;
  const speed = open ? meter.speed(Math.max(0, came)) : 0;
  const progress = size ? sent / size : files ? done / files : 0;
  return { files, done, failed, states, size, acknowledged, sent, progress, speed, eta: eta(size - sent, speed) };
}

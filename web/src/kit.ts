// What the parts that are loaded later use of this one. If they imported it,
// all would be torn into more files.

import { backOff, kind, own, retryAfter } from "./answer.js";
import { base64 } from "./crc.js";
import { now } from "./meter.js";
import { none } from "./transport.js";
import { suffer, trouble } from "./trouble.js";
import { sleep, within } from "./within.js";

export const kit = {
  _backOff: backOff,
  _base64: base64,
  _kind: kind,
  _none: none,
  _now: now,
  _own: own,
  _retryAfter: retryAfter,
  _sleep: sleep,
  _suffer: suffer,
  _trouble: trouble,
  _within: within,
};

export type Kit = typeof kit;

// What the parts that are loaded later use of this one. If they imported it,
// all would be torn into more files.

import { backOff, kind, own } from "./answer.js";
import { base64 } from "./crc.js";
import { none } from "./transport.js";
import { suffer, trouble } from "./trouble.js";
import { within } from "./within.js";

export const kit = {
  _backOff: backOff,
  _base64: base64,
  _kind: kind,
  _none: none,
  _own: own,
  _suffer: suffer,
  _trouble: trouble,
  _within: within,
};

export type Kit = typeof kit;

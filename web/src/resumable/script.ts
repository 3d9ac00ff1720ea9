// For pages that load it by a plain <script>.

import { Resumable } from "./index.js";

Object.assign(globalThis, { Resumable });

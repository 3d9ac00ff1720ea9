/** Resumable.js' interface, over the muleteer client. */
import { Resumable as Implementation, support } from "./resumable.js";
import type { Resumable as ResumableType, ResumableConstructor, ResumableOptions } from "./types.js";

export type * from "./types.js";

export type Resumable = ResumableType;
/** Old pages may leave out the new. */
export const Resumable = Object.assign(
  function (options?: ResumableOptions) {
    return new Implementation(options);
  },
  { support: support() },
) as unknown as ResumableConstructor;
export default Resumable;

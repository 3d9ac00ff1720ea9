// The token that a request had is not valid. It is loaded when the server says
// so, which then can be reached.

import type { Calls } from "./calls.js";
import type { About } from "./errors.js";
import type { Item } from "./item.js";
import type { Answer } from "./transport.js";

/** Gets a new token, which all share who need one; false if there is none. It rejects if nobody can tell now. */
export function renewed(calls: Calls): Promise<boolean> {
  return (calls._refreshing ??= refresh(calls).finally(() => (calls._refreshing = undefined)));
}

async function refresh(calls: Calls): Promise<boolean> {
  const before = calls._token;
  const o = calls._options;
  if (!o.refreshToken || calls._refreshes > 2) return false;
  const token = await calls._kit._within(o.refreshToken(), o.timeout ?? 60_000);
  calls._refreshes++;
  if (calls._token === before && token) calls._token = token; // else setToken() was sooner
  return calls._token !== before;
}

/** An item waits for a new token, and goes on with it or fails. */
export async function unauthorised(i: Item, a: Answer, about: About): Promise<void> {
  const up = i.uploader;
  const calls = up._calls;
  let well: boolean | undefined;
  i._hold = Infinity;
  try {
    well = await renewed(calls);
  } catch {
    // Nobody can tell now.
  }
  i._hold = 0;
  if (i._final) return;
  if (well === undefined) calls._kit._trouble(i, calls._kit._none);
  else if (!well) {
    // Tokens are valid for a time, by somebody's clock.
    if (calls._clockIsWrong() && /expired|not yet/i.test(a.text + a.header("WWW-Authenticate"))) {
      calls._refreshes = 0;
      return calls._kit._suffer(i, "clock", about);
    }
    up._needsToken = true;
    i._fail("unauthorised", about);
  }
  i._go();
}

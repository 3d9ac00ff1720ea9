// What is not wanted any more is removed on the server.

import { backOff, kind, own, retryAfter } from "./answer.js";
import type { Item } from "./item.js";
import { none } from "./transport.js";
import { sleep } from "./within.js";

/** After so many attempts the server is left to forget it by itself. */
const attempts = 8;

/** Removes what an item has on the server under its name of now. */
export async function remove(i: Item): Promise<void> {
  const { _calls, _keys, options } = i.uploader;
  const name = i._print;
  for (let n = 1; n <= attempts; n++) {
    const a = await _calls._send(i, "DELETE", { "X-Upload-Fingerprint": name }).catch(() => none);
    const code = kind(a);
    if (code === "unauthorised" && (await _calls._renewed().catch(() => false))) continue;
    if (a.status === 204 || (own(a) && !/busy|slow-down|full/.test(code))) return;
    await sleep(retryAfter(a) ?? backOff(n + 1, options.maxRetryInterval));
    while (globalThis.navigator?.onLine === false) await sleep(1000);
    if (_keys.get(i.key)?._print === name) return; // the same file was added anew
  }
}

// What is not wanted any more is removed on the server. It is loaded when
// something is cancelled.

import type { Item } from "./item.js";

/** After so many attempts the server is left to forget it by itself. */
const attempts = 8;

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Removes what an item has on the server by a name. */
export async function remove(i: Item, name: string): Promise<void> {
  const { _calls, _keys, options } = i.uploader;
  const kit = _calls._kit;
  for (let n = 1; n <= attempts; n++) {
    const a = await _calls._send(i, "DELETE", { "X-Upload-Fingerprint": name }).catch(() => kit._none);
    const code = kit._kind(a);
    if (code === "unauthorised" && (await import("./token.js").then((t) => t.renewed(_calls)).catch(() => false))) continue;
    if (a.status === 204 || (kit._own(a) && !/busy|slow-down|full/.test(code))) return;
    await sleep(kit._backOff(n + 1, options.maxRetryInterval));
    while (globalThis.navigator?.onLine === false) await sleep(1000);
    if (_keys.get(i.key)?._print === name) return; // the same file was added anew
  }
}

// Unfinished uploads in IndexedDB, for the file handles above all. Everything
// here may fail - no space, no permission, private windows - and nothing
// depends on it: what the server has, the server is asked.

// It is loaded when a file is worth remembering.

import type { Item } from "./item.js";
import type { Kit } from "./kit.js";
import type { Memory, Remembered } from "./types.js";
import type { Client } from "./uploader.js";

/** Bytes at the start of a file by which a change is noticed. */
const headBytes = 64 << 10;

const store = "uploads";

/** A database that does not answer is not waited for any longer, in milliseconds. */
const patience = 2000;

const settled = <T>(r: IDBRequest<T>): Promise<T> =>
  new Promise((done, failed) => {
    r.onsuccess = () => done(r.result);
    r.onerror = () => failed(r.error);
  });

export class Kept implements Memory {
  _open: Promise<IDBDatabase> | undefined;
  _changes = new Map<string, Remembered | undefined>();
  _timer: ReturnType<typeof setTimeout> | undefined;
  _kit: Kit;

  constructor(kit: Kit) {
    this._kit = kit;
  }

  async _store(mode: IDBTransactionMode): Promise<IDBObjectStore> {
    this._open ??= new Promise((done, failed) => {
      const r = indexedDB.open("muleteer", 1);
      r.onupgradeneeded = () => r.result.createObjectStore(store, { keyPath: "key" });
      r.onerror = () => failed(r.error);
      r.onsuccess = () => {
        const closed = (): void => {
          this._open = undefined;
        };
        r.result.onclose = closed;
        r.result.onversionchange = () => {
          r.result.close();
          closed();
        };
        done(r.result);
      };
    });
    try {
      return (await this._kit._within(this._open, patience)).transaction(store, mode).objectStore(store);
    } catch (e) {
      this._open = undefined; // another attempt may be luckier
      throw e;
    }
  }

  async get(key: string): Promise<Remembered | undefined> {
    if (this._changes.has(key)) return this._changes.get(key);
    try {
      return await settled<Remembered | undefined>((await this._store("readonly")).get(key));
    } catch {
      return undefined;
    }
  }

  async all(): Promise<Remembered[]> {
    await this._flush();
    try {
      return await settled<Remembered[]>((await this._store("readonly")).getAll());
    } catch {
      return [];
    }
  }

  put(r: Remembered): void {
    this._change(r.key, r);
  }

  delete(key: string): void {
    this._change(key, undefined);
  }

  /** Thousands of small files share a few transactions. */
  _change(key: string, r: Remembered | undefined): void {
    this._changes.set(key, r);
    this._timer ??= setTimeout(() => void this._flush(), 200);
  }

  async _flush(): Promise<void> {
    clearTimeout(this._timer);
    this._timer = undefined;
    const changes = this._changes;
    if (!changes.size) return;
    this._changes = new Map();
    try {
      const s = await this._store("readwrite");
      for (const [key, r] of changes) (r ? s.put(r) : s.delete(key)).onerror = (e) => e.preventDefault();
    } catch {
      // Then nothing is remembered.
    }
  }
}

/** Compares the file of an item with what an earlier day remembered, and remembers it. */
export async function recall(item: Item): Promise<void> {
  const up = item.uploader;
  const memory = up._memory;
  if (!memory) return;
  const file = item.file as File;
  const head = up._calls._kit._base64((await up._sums.read(file.slice(0, headBytes))).crc);
  const before = await up._calls._kit._within(memory.get(item.key), patience).catch(() => undefined);
  if (!item._preparing) return; // it went on without
  if (before?.salt && !item._salt) item._salt = before.salt;
  if (before && before.head !== head && item._salt === (before.salt ?? "")) return item._fail("changed");
  const { key, name, path, size, type } = item;
  const r: Remembered = {
    key, name, path, size, type, head,
    target: up._calls._targets[0]!,
    lastModified: file.lastModified ?? 0,
    time: before?.time ?? Date.now(),
  };
  if (item._salt) r.salt = item._salt;
  const handle = item._handle ?? before?.handle;
  if (handle) r.handle = handle;
  up._keep((m) => m.put(r));
}

/** What an uploader has not in its list, oldest first. */
export async function remembered(up: Client): Promise<Remembered[]> {
  const all = await up._calls._kit._within(up._memory?.all() ?? [], patience).catch(() => []);
  return all.filter((r) => r.target === up._calls._targets[0]! && !up._keys.has(r.key)).sort((a, b) => a.time - b.time);
}

/** Continues from a file handle, if that is allowed and the file is the same. */
export async function restore(up: Client, r: Remembered, ask: boolean): Promise<Item | undefined> {
  const h = r.handle as (FileSystemFileHandle & Partial<Record<string, (o: object) => Promise<string>>>) | undefined;
  if (!h) return undefined;
  try {
    const mode = { mode: "read" };
    let allowed = (await h["queryPermission"]?.(mode)) ?? "granted";
    if (allowed !== "granted" && ask) allowed = (await h["requestPermission"]?.(mode)) ?? allowed;
    if (allowed !== "granted") return undefined;
    const file = await h.getFile();
    if (file.size !== r.size || file.lastModified !== r.lastModified) return undefined;
    return await up.add(file, { name: r.name, path: r.path, type: r.type, fingerprint: r.key, handle: h });
  } catch {
    return undefined;
  }
}

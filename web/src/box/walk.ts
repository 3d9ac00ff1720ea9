/**
 * What people hand to a page, as files with the paths that they have within
 * their folders: by a picker, by dropping, by pasting.
 */

export interface Found {
  file: File;
  /** Relative to what was handed over, with the name: "photos/2024/a.jpg". */
  path: string;
  /** With it the browser can read the file again after a reload. */
  handle?: FileSystemHandle;
}

export interface Walk {
  found: AsyncGenerator<Found[]>;
  /** Folders without a file, and what could not be read; complete when found has ended. */
  empty: string[];
  unreadable: string[];
}

/** batch is how many files come at once, so that the page can be painted between. */
const batch = 200;

type Handled = DataTransferItem & { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> };
type Listed = FileSystemDirectoryHandle & { values(): AsyncIterable<FileSystemHandle> };

/** picked tells what an input of type file has. */
export function picked(list: FileList | File[]): Found[] {
  return Array.from(list, (file) => ({ file, path: file.webkitRelativePath || file.name }));
}

/**
 * dropped walks through what a drop or a paste brought. The items die with the
 * event, so this must be called before anything is awaited.
 */
export function dropped(data: DataTransfer): Walk {
  const roots = Array.from(data.items)
    .filter((item) => item.kind === "file")
    .map((item: Handled) => ({
      entry: item.webkitGetAsEntry?.() ?? null,
      handle: item.getAsFileSystemHandle?.().catch(() => null),
      file: item.getAsFile(),
    }));
  const walk: Walk = { found: begin(), empty: [], unreadable: [] };
  async function* begin() {
    let ready: Found[] = [];
    for (const root of roots) {
      for await (const found of one(root)) {
        if (ready.push(found) < batch) continue;
        yield ready;
        ready = [];
      }
    }
    if (ready.length) yield ready;
  }
  async function* one(root: (typeof roots)[number]): AsyncGenerator<Found> {
    const handle = await root.handle;
    if (handle) yield* fromHandle(handle, "", walk);
    else if (root.entry?.isDirectory) yield* fromEntry(root.entry, walk);
    else if (root.file) yield { file: root.file, path: root.file.name };
  }
  return walk;
}

/** opened walks through a folder that was chosen by a picker that gives handles. */
export function opened(handles: FileSystemHandle[]): Walk {
  const walk: Walk = { found: begin(), empty: [], unreadable: [] };
  async function* begin() {
    let ready: Found[] = [];
    for (const handle of handles) {
      for await (const found of fromHandle(handle, "", walk)) {
        if (ready.push(found) < batch) continue;
        yield ready;
        ready = [];
      }
    }
    if (ready.length) yield ready;
  }
  return walk;
}

async function* fromHandle(handle: FileSystemHandle, above: string, walk: Walk): AsyncGenerator<Found> {
  const path = above + handle.name;
  try {
    if (handle.kind === "file") {
      yield { file: await (handle as FileSystemFileHandle).getFile(), path, handle };
      return;
    }
    let any = false;
    for await (const inner of (handle as Listed).values()) {
      any = true;
      yield* fromHandle(inner, path + "/", walk);
    }
    if (!any) walk.empty.push(path);
  } catch {
    walk.unreadable.push(path);
  }
}

async function* fromEntry(entry: FileSystemEntry, walk: Walk): AsyncGenerator<Found> {
  const path = entry.fullPath.replace(/^\//, "");
  try {
    if (entry.isFile) {
      const file = await new Promise<File>((ok, no) => (entry as FileSystemFileEntry).file(ok, no));
      yield { file, path };
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    let any = false;
    // A reader gives its entries in portions, and an empty one at the end.
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((ok, no) => reader.readEntries(ok, no));
      if (!some.length) break;
      any = true;
      for (const inner of some) yield* fromEntry(inner, walk);
    }
    if (!any) walk.empty.push(path);
  } catch {
    walk.unreadable.push(path);
  }
}

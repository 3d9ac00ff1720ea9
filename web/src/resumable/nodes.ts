// How people hand files to a page's nodes.

import type { All } from "./options.js";
import type { Nodes } from "./types.js";

export const listOf = (nodes: Nodes): Element[] => ("nodeType" in nodes ? [nodes] : Array.from(nodes));

/** By node, what takes its listeners away. */
export type Listening = Map<Element, () => void>;

export function release(all: Listening, node: Element): void {
  all.get(node)?.();
  all.delete(node);
}

/** An input that was there, or a new one behind a node that is clicked. */
function input(node: Element): HTMLInputElement {
  if (node instanceof HTMLInputElement && node.type === "file") return node;
  const made = node.ownerDocument.createElement("input");
  made.type = "file";
  made.hidden = true;
  made.tabIndex = -1;
  made.ariaHidden = "true";
  const open = (): void => made.click();
  node.addEventListener("click", (e) => {
    if (e.target === made) return;
    if (node instanceof HTMLAnchorElement) e.preventDefault();
    open();
  });
  // Who has no mouse gets there too.
  if (node instanceof HTMLElement && !node.matches("button, input, a[href], label, summary")) {
    node.tabIndex = Math.max(node.tabIndex, 0);
    node.role ??= "button";
    node.addEventListener("keydown", (e) => {
      if (e.key !== "Enter" && e.key !== " ") return;
      e.preventDefault();
      open();
    });
  }
  made.addEventListener("click", (e) => e.stopPropagation());
  node.append(made);
  return made;
}

export const receive = {
  browse(node: Element, directory: boolean, o: All, take: (files: FileList, event: Event) => void): void {
    const i = input(node);
    i.multiple = o.maxFiles !== 1;
    i.webkitdirectory = directory;
    if (o.fileType.length) i.accept = o.fileType.map((t) => (t.includes("/") || t.startsWith(".") ? t : "." + t)).join(",");
    i.addEventListener("change", (e) => {
      // The list is emptied with the input, so that a copy is taken.
      const files = Array.from(i.files ?? []) as unknown as FileList;
      if (o.clearInput) i.value = "";
      if (files.length) take(files, e);
    });
  },

  /** Returns what takes the listeners away. */
  drop(node: Element, over: string, take: (data: DataTransfer, event: Event) => void): () => void {
    const end = new AbortController();
    const listen = (types: string, f: (e: DragEvent) => void): void => {
      for (const type of types.split(" ")) node.addEventListener(type, f as EventListener, { signal: end.signal });
    };
    let depth = 0;
    const show = (): boolean => node.classList.toggle(over, depth > 0);
    listen("dragenter", (e) => {
      e.preventDefault();
      depth++;
      show();
    });
    listen("dragover", (e) => {
      e.preventDefault();
      if (e.dataTransfer) e.dataTransfer.dropEffect = "copy";
    });
    listen("dragleave", () => {
      depth = Math.max(0, depth - 1);
      show();
    });
    listen("drop", (e) => {
      e.preventDefault();
      e.stopPropagation();
      depth = 0;
      show();
      if (e.dataTransfer) take(e.dataTransfer, e);
    });
    return () => {
      end.abort();
      depth = 0;
      show();
    };
  },
};

// The constructor that pages with Resumable.js call: it puts files into a list
// and a form for each, whose templates are the nodes that it is given, and
// shows how far they are. jQuery may be there or not.

import type { Nodes, Resumable as Sender, ResumableFile } from "../types.js";
import { View } from "./view.js";

/** What was said of files on an earlier day, by their identifiers. */
export type Saved = Record<string, Words>;

/** What a person says of a file. */
export interface Words {
  title?: string;
  description?: string;
  tags?: string;
  album_id?: string;
  album_label?: string;
  publish?: number | string;
}

declare const Resumable: new (o: object) => Sender;

const gib = 2 ** 30;

/** A node of the page with its template. */
export class Holder {
  readonly node: HTMLElement | undefined;
  private readonly template = document.createElement("template");

  constructor(nodes: Nodes | undefined) {
    this.node = (nodes && ("nodeType" in nodes ? nodes : nodes[0])) as HTMLElement | undefined;
  }
  /** What is in the node becomes the template. */
  empty(): void {
    if (!this.node) return;
    this.template.content.append(...this.node.childNodes);
    shown(this.node, true);
  }
  /** Adds a copy of the template. */
  copy(): HTMLElement {
    const made = document.createElement("div");
    made.append(this.template.content.cloneNode(true));
    this.node?.append(made);
    return made;
  }
}

/** Shows a node or hides it, whatever hid it before. */
export function shown(node: HTMLElement, yes: boolean): void {
  node.hidden = !yes;
  node.style.display = yes ? "" : "none";
  if (yes && getComputedStyle(node).display === "none") node.style.display = "block";
}

export class ResumableUploader {
  /** Where browsers go that cannot upload in chunks. */
  fallbackUrl = "/";
  readonly resumable: Sender;
  /** The files by their identifiers. */
  readonly files: Record<string, View> = {};
  private readonly title = document.title;
  private readonly progress: Holder;
  private readonly list: Holder;
  private readonly edit: Holder;

  constructor(
    readonly upload_token: string,
    readonly savedData: Saved | undefined,
    browse: Nodes,
    drop: Nodes,
    progress?: Nodes,
    list?: Nodes,
    edit?: Nodes,
    maxFileSize = 4, // GiB
  ) {
    [this.progress, this.list, this.edit] = [new Holder(progress), new Holder(list), new Holder(edit)];
    this.list.empty();
    this.edit.empty();
    this.resumable = new Resumable({
      target: "/api/photo/redeem-upload-token",
      query: { upload_token },
      chunkSize: 3 << 20,
      simultaneousUploads: 4,
      prioritizeFirstAndLastChunk: true,
      maxFileSize: maxFileSize * gib,
    });
    if (!this.resumable.support) {
      location.href = this.fallbackUrl;
      return;
    }
    this.resumable.assignBrowse(browse);
    this.resumable.assignDrop(drop);
    this.hear();
    this.links();
  }

  private hear(): void {
    const r = this.resumable;
    const view = (f: ResumableFile): View | undefined => this.files[f.uniqueIdentifier];
    r.on("fileAdded", (f) => {
      this.add(f);
      r.upload();
    });
    r.on("fileProgress", (f) => view(f)?.moved());
    r.on("fileSuccess", (f) => view(f)?.ended("completed"));
    r.on("fileError", (f, message) => view(f)?.ended("error", message));
    r.on("progress", () => this.moved());
    r.on("complete", () => this.moved());
    r.on("pause", () => this.state("is-paused"));
    r.on("uploadStart", () => this.state(""));
  }

  /** Links of the page to go on and to pause, unless it has its own script for them. */
  private links(): void {
    for (const [name, act] of [["resume", () => this.resumable.upload()], ["pause", () => this.resumable.pause()]] as const) {
      for (const link of this.progress.node?.querySelectorAll<HTMLElement>(`.progress-${name}-link`) ?? []) {
        if (link.hasAttribute("onclick")) continue;
        link.addEventListener("click", (e) => {
          e.preventDefault();
          act();
        });
      }
    }
  }

  private state(name: string): void {
    this.progress.node?.classList.remove("is-paused", "is-completed");
    if (name) this.progress.node?.classList.add(name);
  }

  /** Shows how far all files are. */
  private moved(): void {
    const share = this.resumable.progress();
    const percent = `${Math.floor(share * 100)}`;
    const node = this.progress.node;
    document.title = `(${percent} %) ${this.title}`;
    this.state(share >= 1 ? "is-completed" : this.resumable.isUploading() ? "" : "is-paused");
    for (const e of node?.querySelectorAll(".progress-text") ?? []) e.textContent = `${percent} %`;
    for (const e of node?.querySelectorAll<HTMLElement>(".progress-bar") ?? []) {
      e.style.width = `${percent}%`;
      e.ariaValueNow = percent;
    }
  }

  private add(f: ResumableFile): void {
    const id = f.uniqueIdentifier;
    const view = new View(f, this.upload_token, this.savedData?.[id], this.list.copy(), this.edit.copy());
    this.files[id] = view;
    view.onselect = () => {
      for (const other of Object.values(this.files)) other.select(other === view);
    };
    view.oncancel = () => this.remove(id);
    if (Object.keys(this.files).length === 1) view.onselect();
    else view.select(false);
    if (this.progress.node) shown(this.progress.node, true);
    this.moved();
  }

  private remove(id: string): void {
    const view = this.files[id];
    if (!view) return;
    delete this.files[id];
    view.remove();
    view.file.cancel();
    const [next] = Object.values(this.files);
    if (next) next.onselect();
    else if (this.progress.node) shown(this.progress.node, false);
    this.moved();
    if (!next) document.title = this.title;
  }
}

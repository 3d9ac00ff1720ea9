import { direct } from "../direct.js";
import { Uploader } from "../index.js";
import type { AddOptions, Skipped, Source, UploadItem } from "../types.js";
import { Live } from "../box/live.js";
import { speak } from "../box/speaker.js";
import { bytes, named } from "../box/words.js";
import type { Found } from "../box/walk.js";
import { Again } from "./again.js";
import { Awake, copy, guard, sure } from "./awake.js";
import { get, make, show, text } from "./dom.js";
import { intake } from "./intake.js";
import { List } from "./list.js";
import { FileRow } from "./row.js";
import { anyBusy, links, shows, Sum, type Shown } from "./sum.js";
import { Thumbs } from "./thumb.js";

const often = 100; // milliseconds between two paints
const dear = 8 << 20; // bytes that are not thrown away unasked

/** number is a figure that the server wrote into the page. */
function figure(name: string): number | undefined {
  const n = Number(document.querySelector<HTMLMetaElement>(`meta[name=${name}]`)?.content);
  return n > 0 ? n : undefined;
}

class Page {
  private live = new Live(get("live"));
  private uploader = new Uploader({
    target: new URL("upload/", document.baseURI).pathname,
    maxFileSize: figure("muleteer-max-size"),
    chunkSize: figure("muleteer-chunk-size"),
    refreshToken: () => this.token(),
    send: figure("muleteer-direct") ? direct() : undefined,
  });
  private sum = new Sum(this.uploader);
  private again = new Again(this.uploader);
  private awake = new Awake();
  private list: List<UploadItem, FileRow>;
  private shown: Shown = "all";
  private stale = true; // the list has others than it shows
  private timer = 0;
  private given = -1; // bytes that had arrived when a token was given

  constructor() {
    const thumbs = new Thumbs();
    const asks = { thumbs, copy: (l: string[]) => this.copy(l), remove: (i: UploadItem) => void this.remove(i) };
    this.list = new List(get("list"), () => new FileRow(asks), (i) => shows.failed(i) || i.waitingFor === "retry");
    const limit = figure("muleteer-max-size");
    if (limit) text(get("limit"), `Up to ${bytes(limit)} each.`);
    this.listen();
    this.buttons();
  }

  async begin(): Promise<void> {
    document.documentElement.classList.add("ready");
    this.network();
    // A pause outlives a reload.
    if (!sessionStorage.getItem("paused")) this.uploader.upload();
    await this.again.begin();
    this.soon();
  }

  private listen(): void {
    const { uploader } = this;
    speak(uploader, this.live);
    uploader.on("catchAll", (event) => {
      if (event !== "progress" && event !== "fileProgress") this.stale = true;
      this.soon();
    });
    uploader.on("filesAdded", (_, skipped) => this.skipped(skipped));
    intake(
      (found) => this.take(found),
      (sentence) => this.notice([sentence]),
    );
    guard(() => anyBusy(uploader));
    for (const event of ["online", "offline"]) addEventListener(event, () => this.network());
    document.addEventListener("visibilitychange", () => this.soon());
  }

  private buttons(): void {
    const { uploader } = this;
    const on = (id: string, act: () => void) =>
      get(id).addEventListener("click", () => {
        act();
        this.paint();
      });
    on("all-pause", () => this.pause());
    on("all-retry", () => uploader.retry());
    on("all-links", () => void this.copy(links(uploader)));
    on("all-cancel", () => void this.cancel());
    on("all-clear", () => void this.clear());
    // Not a button that submits: Enter in the field would press the first of those.
    on("who-no", () => get<HTMLDialogElement>("who").close());
    on("notice-away", () => {
      get("notice").hidden = true;
      get("pick-files").focus();
    });
    get("filter").addEventListener("change", (e) => {
      this.shown = (e.target as HTMLInputElement).value as Shown;
      this.stale = true;
      this.paint();
    });
  }

  private async take(found: Found[]): Promise<void> {
    const known = found.map((f): [Source, AddOptions] => {
      const before = this.again.known(f);
      const about: AddOptions = { path: f.path.includes("/") ? f.path : "" };
      if (f.handle?.kind === "file") about.handle = f.handle as FileSystemFileHandle;
      if (before) Object.assign(about, { path: before.path, fingerprint: before.key });
      return [f.file, about];
    });
    await this.uploader.addFiles(known);
    if (!sessionStorage.getItem("paused")) this.uploader.upload();
    await this.again.look();
  }

  private pause(): void {
    const { uploader } = this;
    const paused = uploader.files.every(
      (i) => shows.done(i) || shows.failed(i) || i.state === "paused" || (i.state === "queued" && !uploader.started),
    );
    if (!paused) {
      sessionStorage.setItem("paused", "yes");
      uploader.pause();
      return;
    }
    sessionStorage.removeItem("paused");
    uploader.upload();
    for (const item of uploader.files) if (item.state === "paused") item.resume();
  }

  private async remove(item: UploadItem): Promise<void> {
    const { uploader } = this;
    if (item.state !== "done" && item.acknowledged > dear) {
      const yes = await sure(
        get("sure"),
        `${bytes(item.acknowledged)} of ${named(item.name)} have arrived already. Cancel it and throw them away?`,
        "Cancel the upload",
      );
      if (!yes) return;
    }
    const all = uploader.files.filter(shows[this.shown]);
    const at = all.indexOf(item);
    const next = all[at + 1] ?? all[at - 1];
    const row = next && this.list.row(next);
    if (row) row.focus();
    else get("pick-files").focus();
    await uploader.removeFile(item);
    this.soon();
  }

  private async cancel(): Promise<void> {
    const open = this.uploader.files.filter(shows.open);
    const there = open.reduce((n, i) => n + i.acknowledged, 0);
    if (there > dear || open.length > 20) {
      const yes = await sure(
        get("sure"),
        `Cancel ${open.length} uploads and throw away the ${bytes(there)} that have arrived of them?`,
        "Cancel all",
      );
      if (!yes) return;
    }
    await Promise.all(open.map((i) => i.cancel().catch(() => undefined)));
    get("pick-files").focus();
    this.soon();
  }

  private async clear(): Promise<void> {
    get("pick-files").focus();
    for (const item of [...this.uploader.files]) if (!shows.open(item)) await this.uploader.removeFile(item);
    this.soon();
  }

  private async copy(all: string[]): Promise<void> {
    try {
      await copy(all.join("\n"));
      this.live.say("copy", all.length === 1 ? "The link is copied." : `${all.length} links are copied.`);
    } catch {
      this.notice([`This browser does not let the page copy. ${all[0]}`]);
    }
  }

  private network(): void {
    show(get("offline"), navigator.onLine === false);
  }

  private skipped(skipped: Skipped[]): void {
    this.notice(skipped.map((s) => `${s.file instanceof File ? named(s.file.name) : "A file"}: ${s.error.message}`));
  }

  // notice shows what a person has to know and no row can say.
  private notice(sentences: string[]): void {
    if (!sentences.length) return;
    const few = sentences.slice(0, 4);
    if (sentences.length > few.length) few.push(`And ${sentences.length - few.length} more.`);
    get("notice-text").replaceChildren(...few.map((s) => make("p", "", s)));
    get("notice").hidden = false;
    this.live.say("notice", few.join(" "));
  }

  private token(): Promise<string | undefined> {
    const dialog = get<HTMLDialogElement>("who");
    const field = dialog.querySelector("input")!;
    const there = () => this.uploader.stats().acknowledged;
    // Nothing has arrived since the last token was given.
    text(get("who-wrong"), this.given === there() ? "This token is not valid. Enter another one." : "");
    dialog.returnValue = "";
    if (!dialog.open) dialog.showModal();
    field.focus();
    return new Promise((ok) =>
      dialog.addEventListener(
        "close",
        () => {
          const token = dialog.returnValue === "yes" ? field.value.trim() : "";
          this.given = token ? there() : -1;
          field.value = "";
          ok(token || undefined);
        },
        { once: true },
      ),
    );
  }

  private soon(): void {
    // Not an animation frame: those stop in the background, and with them the title.
    if (!this.timer) this.timer = window.setTimeout(() => this.paint(), often);
  }

  private paint(): void {
    clearTimeout(this.timer);
    this.timer = 0;
    const { uploader } = this;
    const stats = uploader.stats();
    const how = this.sum.paint(stats);
    document.documentElement.classList.toggle("some", how !== "none");
    if (this.stale) {
      this.stale = false;
      const entries = uploader.files.filter(shows[this.shown]);
      this.list.set(entries);
      show(get("none"), how !== "none" && !entries.length);
    }
    this.list.paint();
    this.awake.set(how === "sending" || how === "verifying" || how === "waiting");
    if (how === "waiting" || stats.states.waiting) this.timer = window.setTimeout(() => this.paint(), 500);
  }
}

if (Uploader.support) void new Page().begin();
else {
  document.documentElement.classList.add("bare");
  text(
    get("missing"),
    `This browser lacks ${Uploader.missing.join(", ")}. This form sends files all the same, but it cannot continue after a break.`,
  );
}

import type { TotalStats, UploadItem, Uploader } from "../types.js";
import { busy, link } from "../box/tell.js";
import { bytes, count, files, hundredths, percent, rate, span } from "../box/words.js";
import { get, set, show, text } from "./dom.js";

/** What the list can be narrowed to. */
export type Shown = "all" | "open" | "failed" | "done";

export const shows: Record<Shown, (item: UploadItem) => boolean> = {
  all: () => true,
  open: (item) => item.state !== "done" && item.state !== "failed",
  failed: (item) => item.state === "failed",
  done: (item) => item.state === "done",
};

/** How all uploads together stand. */
export type Whole = "none" | "sending" | "verifying" | "waiting" | "paused" | "done" | "trouble";

export function whole(uploader: Uploader, stats: TotalStats): Whole {
  const s = stats.states;
  if (!stats.files) return "none";
  if (s.uploading || s.checking) return "sending";
  if (s.verifying) return "verifying";
  if (s.waiting) return "waiting";
  if (s.queued && uploader.started) return "sending";
  if (s.paused || s.queued) return "paused";
  return s.failed ? "trouble" : "done";
}

/** Sum shows how all uploads together stand, here and in the title of the page. */
export class Sum {
  private box = get("sum");
  private bar = get("sum-bar");
  private filter = get("filter");
  private counts = new Map<Shown, Element>();
  private title = document.title;

  constructor(private uploader: Uploader) {
    for (const input of this.filter.querySelectorAll("input")) {
      this.counts.set(input.value as Shown, input.parentElement!.querySelector("b")!);
    }
  }

  paint(stats: TotalStats): Whole {
    const how = whole(this.uploader, stats);
    show(this.box, how !== "none");
    document.title = this.titled(how, stats);
    if (how === "none") return how;

    text(get("sum-title"), heading(how, stats));
    text(get("sum-facts"), facts(how, stats));
    this.bar.style.setProperty("--done", String(stats.progress));
    this.bar.classList.toggle("still", how === "paused" || how === "waiting");
    this.bar.classList.toggle("check", how === "verifying");
    this.bar.classList.toggle("bad", how === "trouble");
    set(this.bar, "aria-valuenow", String(hundredths(stats.progress, how === "done")));
    set(this.bar, "aria-valuetext", how === "verifying" ? "Verifying" : `${percent(stats.progress)}, ${how}`);

    const open = how !== "done" && how !== "trouble";
    const pause = get("all-pause");
    show(pause, open);
    text(
      pause,
      how === "paused" ? (stats.files > 1 ? "Resume all" : "Resume") : stats.files > 1 ? "Pause all" : "Pause",
    );
    show(get("all-cancel"), open);
    text(get("all-cancel"), stats.files > 1 ? "Cancel all" : "Cancel");
    show(get("all-retry"), stats.failed > 0);
    text(get("all-retry"), stats.failed > 1 ? "Try all again" : "Try again");
    show(get("all-links"), !open && stats.done > 1);
    show(get("all-clear"), !open);

    show(this.filter, stats.files >= 8);
    const numbers = {
      all: stats.files,
      done: stats.done,
      failed: stats.failed,
      open: stats.files - stats.done - stats.failed,
    };
    for (const [name, e] of this.counts) text(e, count(numbers[name]));
    return how;
  }

  private titled(how: Whole, stats: TotalStats): string {
    const at = percent(stats.progress);
    switch (how) {
      case "none":
        return this.title;
      case "done":
        return `✓ Done · ${this.title}`;
      case "trouble":
        return `! ${files(stats.failed)} did not arrive · ${this.title}`;
      case "paused":
        return `Paused at ${at} · ${this.title}`;
      case "verifying":
        return `Verifying · ${this.title}`;
      default:
        return `${at} · ${this.title}`;
    }
  }
}

function heading(how: Whole, stats: TotalStats): string {
  const all = files(stats.files);
  switch (how) {
    case "verifying":
      return `Verifying ${all}`;
    case "waiting":
      return `Waiting to go on with ${all}`;
    case "paused":
      return `Paused at ${percent(stats.progress)}`;
    case "done":
      return stats.files === 1 ? "Your file is there" : `All ${all} are there`;
    case "trouble":
      return stats.done ? `${files(stats.done)} arrived, ${count(stats.failed)} did not` : `${all} did not arrive`;
    default:
      return `Sending ${all} · ${percent(stats.progress)}`;
  }
}

function facts(how: Whole, stats: TotalStats): string {
  if (how === "done") return `${bytes(stats.size)} · kept and checked by the server`;
  const parts = [`${bytes(stats.sent)} of ${bytes(stats.size)}`];
  if (stats.files > 1) parts.push(`${count(stats.done)} of ${files(stats.files)}`);
  if (how === "sending" && stats.speed > 0) parts.push(rate(stats.speed));
  if (how === "sending" && stats.eta !== undefined) parts.push(`${span(stats.eta / 1000)} left`);
  return parts.join(" · ");
}

/** links are those of all finished files. */
export const links = (uploader: Uploader): string[] => uploader.files.map(link).filter(Boolean);

export const anyBusy = (uploader: Uploader): boolean => uploader.files.some(busy);

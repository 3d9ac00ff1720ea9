import type { UploadItem } from "../types.js";
import { deed, link, tell, type Deed } from "../box/tell.js";
import { hundredths, middle, percent } from "../box/words.js";
import { icon, make, set, show, text, turn } from "./dom.js";
import type { Row } from "./list.js";
import type { Thumbs } from "./thumb.js";

/** What rows ask of the page. */
export interface Asks {
  thumbs: Thumbs;
  copy(links: string[]): Promise<void>;
  /** Asks first where much would be lost, and takes it out of the list. */
  remove(item: UploadItem): void;
}

const words: Record<Deed, [icon: string, label: string]> = {
  pause: ["pause", "Pause"],
  resume: ["play", "Resume"],
  retry: ["again", "Try again"],
  link: ["copy", "Copy link"],
  none: ["check", "Finished"],
};

/** FileRow shows one upload: picture, name, state, bar, and two buttons. */
export class FileRow implements Row<UploadItem> {
  readonly element = make("li");
  private item!: UploadItem;
  private picture = make("div", "thumb");
  private ending = make("span");
  private name: HTMLElement = make("div", "name");
  private state = make("div", "state");
  private check = icon("check");
  private said = document.createTextNode("");
  private bar = make("div", "bar", make("i"));
  private word = make("span");
  private main = make("button", "icon", icon("pause"), this.word);
  private away = make("button", "icon", icon("x"));
  private copied = 0;

  constructor(private asks: Asks) {
    this.main.type = this.away.type = "button";
    this.main.addEventListener("click", () => this.act());
    this.away.addEventListener("click", () => this.asks.remove(this.item));
    set(this.bar, "role", "progressbar");
    set(this.bar, "aria-valuemin", "0");
    set(this.bar, "aria-valuemax", "100");
    this.check.classList.add("mark-done");
    this.state.append(this.check, this.said);
    set(this.picture, "aria-hidden", "true");
    this.element.append(
      this.picture,
      make("div", "what", this.name, this.state, this.bar),
      make("div", "act", this.main, this.away),
    );
  }

  show(item: UploadItem): void {
    this.item = item;
    this.copied = 0;
    text(this.ending, ending(item.name));
    this.picture.replaceChildren(this.ending);
    this.asks.thumbs.get(item, (picture) => {
      if (this.item === item) this.picture.replaceChildren(picture);
    });
    this.called("");
    set(this.bar, "aria-label", item.name);
    this.paint();
  }

  paint(): void {
    const { item } = this;
    const { state } = item;
    const said = tell(item);
    if (this.said.data !== said) this.said.data = said;
    this.called(state === "done" ? link(item) : "");
    this.check.style.display = state === "done" ? "" : "none";
    this.element.classList.toggle("bad", state === "failed");

    const share = item.progress();
    show(this.bar, state !== "done" && state !== "failed");
    this.bar.classList.toggle("check", state === "verifying");
    this.bar.classList.toggle("still", state === "paused" || state === "waiting");
    this.bar.style.setProperty("--done", String(share));
    set(this.bar, "aria-valuenow", String(hundredths(share, state === "done")));
    set(this.bar, "aria-valuetext", state === "verifying" ? "Verifying" : `${percent(share)}, ${state}`);

    // One button for all deeds, so that the focus stays where it is.
    const what = deed(item);
    const [sign, label] = words[what];
    turn(this.main.querySelector("svg")!, this.copied > Date.now() ? "check" : sign);
    const full = what === "retry" && state === "waiting" ? "Try now" : label;
    set(this.main, "aria-label", this.copied > Date.now() ? `Link of ${item.name} is copied` : `${full} ${item.name}`);
    set(this.main, "title", full);
    text(this.word, what === "retry" || what === "link" ? (this.copied > Date.now() ? "Copied" : full) : "");
    set(this.main, "aria-disabled", String(what === "none"));
    this.main.style.visibility = what === "none" && document.activeElement !== this.main ? "hidden" : "";
    const off = state === "done" || state === "failed" ? "Take out of the list" : "Cancel";
    set(this.away, "aria-label", `${off} ${item.name}`);
    set(this.away, "title", off);
  }

  /** next is where the focus goes when this row is gone. */
  focus(): void {
    this.away.focus();
  }

  // A finished file's name is the link to it.
  private called(href: string): void {
    const full = this.item.path || this.item.name;
    const tag = href ? "A" : "DIV";
    if (this.name.tagName !== tag || this.name.title !== full) {
      const [front, end] = middle(this.item.name);
      const folder = full.slice(0, full.lastIndexOf("/") + 1);
      const parts = [make("span", "folder", folder), make("span", "front", front), make("span", "", end)];
      const name = make(href ? "a" : "div", "name", ...parts);
      name.title = full;
      name.dir = "auto"; // a name in Arabic ends on the left
      this.name.replaceWith(name);
      this.name = name;
    }
    if (href) {
      set(this.name, "href", href);
      set(this.name, "aria-label", this.item.name); // its parts would be read with gaps
      set(this.name, "target", "_blank");
    }
  }

  private act(): void {
    const { item } = this;
    switch (deed(item)) {
      case "pause":
        item.pause();
        break;
      case "resume":
        item.resume();
        break;
      case "retry":
        item.retry();
        break;
      case "link":
        void this.asks.copy([link(item)]);
        this.copied = Date.now() + 2000;
        setTimeout(() => this.paint(), 2050);
    }
    this.paint();
  }
}

/** ending is what stands in the place of a picture: "pdf". */
function ending(name: string): string {
  const dot = name.lastIndexOf(".");
  const end = dot > 0 ? name.slice(dot + 1) : "";
  return end.length > 0 && end.length <= 4 ? end : "•••";
}

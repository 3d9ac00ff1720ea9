import type { UploadItem } from "../types.js";
import { hundredths } from "./words.js";
import { deed, link, tell, type Deed } from "./tell.js";

const labels: Record<Deed, string> = {
  pause: "Pause",
  resume: "Resume",
  retry: "Try again",
  link: "Copy link",
  none: "",
};

/** element is one of HTML with its part, class and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  name = "",
  ...inner: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  if (name) {
    e.className = name;
    e.setAttribute("part", name);
  }
  e.append(...inner);
  return e;
}

// What does not change is not written: it would make screen readers speak.
function write(e: Element, text: string): void {
  if (e.textContent !== text) e.textContent = text;
}

/** Entry shows one file of the box. */
export class Entry {
  readonly element = element("li", "file");
  private name = element("a", "name");
  private state = element("span", "state");
  private fill = document.createElement("i");
  private bar = element("div", "bar", this.fill);
  private main = element("button", "action");
  private away = element("button", "remove");

  constructor(
    readonly item: UploadItem,
    remove: (entry: Entry) => void,
  ) {
    const title = item.path || item.name;
    write(this.name, title);
    this.name.title = title;
    this.name.dir = "auto"; // a name in Arabic ends on the left
    this.bar.role = "progressbar";
    this.bar.ariaLabel = title;
    this.bar.ariaValueMin = "0";
    this.bar.ariaValueMax = "100";
    this.main.type = this.away.type = "button";
    this.main.onclick = () => this.act();
    this.away.onclick = () => remove(this);
    this.element.append(element("div", "what", this.name, this.state, this.bar), this.main, this.away);
    this.paint();
  }

  paint(): void {
    const { item } = this;
    const share = item.progress();
    const what = deed(item);
    write(this.state, tell(item));
    this.element.classList.toggle("bad", item.state === "failed");
    this.bar.hidden = item.state === "done" || item.state === "failed";
    this.bar.style.setProperty("--done", String(share));
    this.bar.ariaValueNow = String(hundredths(share, item.state === "done"));
    if (link(item)) this.name.href = link(item);
    this.name.target = "_blank";
    const label = what === "retry" && item.state === "waiting" ? "Try now" : labels[what];
    if (what !== "none") write(this.main, label);
    this.main.ariaLabel = `${label} ${item.name}`;
    // It keeps its place while it has the focus, which would be lost otherwise.
    this.main.ariaDisabled = String(what === "none");
    this.main.hidden = what === "none" && !this.main.matches(":focus");
    write(this.away, item.state === "done" || item.state === "failed" ? "Remove" : "Cancel");
    this.away.ariaLabel = `${this.away.textContent} ${item.name}`;
  }

  focus(): void {
    this.away.focus();
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
        void navigator.clipboard?.writeText(link(item)).then(() => write(this.main, "Copied"));
        return;
    }
    this.paint();
  }
}

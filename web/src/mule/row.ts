// One file in the list.

import { bytes, percent, rate, span } from "../box/words.js";
import { Meter } from "../meter.js";
import { make, set, show, text } from "../page/dom.js";
import type { State, Upload } from "./upload.js";

/** What a person may want of a file. */
export interface Wishes {
  pause(): void;
  resume(force: boolean): void;
  remove(): void;
}

const verbs: Partial<Record<State, string>> = { queued: "Pause", asking: "Pause", sending: "Pause", paused: "Continue", failed: "Try again" };

export class Row {
  private readonly state = make("p", "state quiet");
  private readonly trouble = make("p", "trouble bad");
  private readonly bar = make("progress");
  private readonly turn = make("button");
  private readonly remove = make("button", "", "Remove");
  private readonly link = make("a", "", "Open the file");
  private readonly meter = new Meter();
  readonly node: HTMLLIElement;
  private last: State | undefined;

  constructor(readonly upload: Upload, wishes: Wishes) {
    const { name } = upload.file;
    this.bar.ariaLabel = `Sent of ${name}`;
    this.turn.type = this.remove.type = "button";
    this.turn.onclick = () => {
      const { state } = upload;
      if (verbs[state] === "Pause") wishes.pause();
      else wishes.resume(state === "done");
    };
    this.remove.ariaLabel = `Remove ${name} from the list`;
    this.remove.onclick = () => wishes.remove();
    this.link.target = "_blank";
    const heading = make("h2", "name", name);
    heading.dir = "auto";
    this.node = make("li", "", heading, make("div", "do", this.link, this.turn, this.remove), this.bar, this.state, this.trouble);
    this.draw();
  }

  /** draw shows how the upload stands. readable tells whether a link to the file would work. */
  draw(readable = true): void {
    const { upload: u } = this;
    const all = u.file.size;
    if (u.state === "sending" && this.last !== "sending") this.meter.start(u.sent);
    this.last = u.state;
    this.bar.value = u.state === "done" ? 1 : all ? u.sent / all : 0;
    text(this.state, this.tell());
    this.state.className = u.state === "done" ? "state good" : "state quiet";
    const failed = u.state === "failed";
    text(this.trouble, failed ? u.trouble : u.trouble && u.state !== "paused" ? `${u.trouble} It goes on by itself.` : "");
    show(this.trouble, !!this.trouble.textContent);
    const verb = verbs[u.state] ?? (u.state === "done" && this.was() ? "Send anew" : "");
    text(this.turn, verb);
    set(this.turn, "aria-label", `${verb}: ${u.file.name}`);
    show(this.turn, !!verb);
    show(this.link, u.state === "done" && readable && !!u.location);
    if (u.location) set(this.link, "href", u.location);
  }

  private was(): boolean {
    return this.upload.before >= this.upload.file.size && this.upload.file.size > 0;
  }

  private tell(): string {
    const { upload: u } = this;
    const { sent } = u;
    const all = u.file.size;
    const size = bytes(all);
    switch (u.state) {
      case "queued":
        return `Waits for its turn · ${size}`;
      case "asking":
        return `Looking what has arrived · ${size}`;
      case "sending": {
        const speed = this.meter.speed(sent);
        const parts = [percent(all ? sent / all : 0), `${bytes(sent)} of ${size}`];
        if (speed > 1 && !u.trouble) parts.push(rate(speed), `${span((all - sent) / speed)} left`);
        if (u.before) parts.push(`${bytes(u.before)} were there`);
        return parts.join(" · ");
      }
      case "finishing":
        return `All is sent, the server puts it together · ${size}`;
      case "paused":
        return `Paused at ${percent(all ? sent / all : 0)} · ${size}`;
      case "failed":
        return `It did not arrive · ${size}`;
      case "done":
        return this.was() ? `Was there already · ${size}` : `Done · ${size}`;
    }
  }
}

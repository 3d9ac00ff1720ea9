import type { Remembered, Uploader } from "../types.js";
import type { Found } from "../box/walk.js";
import { files, named } from "../box/words.js";
import { get, show, text } from "./dom.js";

/**
 * Again continues uploads of an earlier visit: by itself where the browser
 * still lets us read the file, after a click where it asks first, and else
 * with the file chosen again.
 */
export class Again {
  private left: Remembered[] = [];
  private asked = new Set<string>(); // those for which a click did not help

  constructor(private uploader: Uploader) {
    get("again-go").addEventListener("click", () => void this.go());
    get("again-forget").addEventListener("click", () => {
      for (const r of this.left) this.uploader.forget(r);
      this.left = [];
      this.paint();
      get("pick-files").focus();
    });
  }

  /** begin continues what it can. While another tab is open, what is unfinished is that tab's. */
  async begin(): Promise<void> {
    if (await this.others()) return;
    await this.look();
    for (const r of this.left) await this.uploader.restore(r).catch(() => undefined);
    await this.look();
  }

  /** known is the unfinished upload to which a file belongs. */
  known({ file, path }: Found): Remembered | undefined {
    const like = this.left.filter(
      (r) => r.name === file.name && r.size === file.size && r.lastModified === file.lastModified,
    );
    return like.find((r) => r.path === path) ?? like.find((r) => !path.includes("/") || r.path === "");
  }

  /** look asks anew what is unfinished. */
  async look(): Promise<void> {
    this.left = await this.uploader.remembered().catch(() => []);
    this.paint();
  }

  private async go(): Promise<void> {
    const byHandle = this.left.filter((r) => this.byClick(r));
    // Choosing needs a click of its own: the one that asked for permission is used up.
    if (!byHandle.length) return get("in-same").click();
    for (const r of byHandle) {
      if (!(await this.uploader.restore(r, true).catch(() => undefined))) this.asked.add(r.key);
    }
    await this.look();
    if (!this.left.length) get("sum-title").focus();
  }

  private byClick(r: Remembered): boolean {
    return !!r.handle && !this.asked.has(r.key);
  }

  private paint(): void {
    const { left } = this;
    show(get("again"), left.length > 0);
    if (!left.length) return;
    const byClick = left.some((r) => this.byClick(r));
    const names =
      left
        .slice(0, 3)
        .map((r) => named(r.path || r.name))
        .join(", ") + (left.length > 3 ? ` and ${left.length - 3} more` : "");
    const same = left.length === 1 ? "the same file" : "the same files";
    const what = left.length === 1 ? "An upload was interrupted" : `${files(left.length)} were interrupted`;
    text(
      get("again-text"),
      `${what}: ${names}. ${byClick ? "What has arrived is kept." : `Choose ${same} again, and only what is missing is sent.`}`,
    );
    text(get("again-go"), byClick ? "Continue" : `Choose ${same}`);
  }

  private async others(): Promise<boolean> {
    if (!navigator.locks) return false;
    const { held = [] } = await navigator.locks.query();
    const others = held.some((l) => l.name === "muleteer page");
    // Held until the page goes, by a crash too.
    void navigator.locks.request("muleteer page", { mode: "shared" }, () => new Promise(() => undefined));
    return others;
  }
}

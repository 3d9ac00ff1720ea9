/** What holds only while something is being sent. */

/** awake keeps the screen on while yes, where the browser can. */
export class Awake {
  private lock: WakeLockSentinel | undefined;
  private wanted = false;

  constructor() {
    // The browser lets go of the lock whenever the page is hidden.
    document.addEventListener("visibilitychange", () => void this.hold());
  }

  set(yes: boolean): void {
    if (yes === this.wanted) return;
    this.wanted = yes;
    void this.hold();
  }

  private async hold(): Promise<void> {
    if (!("wakeLock" in navigator)) return;
    if (this.wanted && (!this.lock || this.lock.released) && document.visibilityState === "visible") {
      this.lock = await navigator.wakeLock.request("screen").catch(() => undefined);
    }
    if (!this.wanted) {
      await this.lock?.release().catch(() => undefined);
      this.lock = undefined;
    }
  }
}

/** guard asks before the page is left, while leaving() says so. */
export function guard(leaving: () => boolean): void {
  addEventListener("beforeunload", (e) => {
    if (leaving()) e.preventDefault();
  });
}

/** copy puts text on the clipboard, also where the page came by plain HTTP. */
export async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  const before = document.activeElement as HTMLElement | null;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus();
  if (!done) throw new Error("this browser does not let pages copy");
}

/** sure asks a question that has to be answered, and tells whether the answer is yes. */
export function sure(dialog: HTMLDialogElement, question: string, yes: string): Promise<boolean> {
  dialog.querySelector("p")!.textContent = question;
  dialog.querySelector("[value=yes]")!.textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((ok) => dialog.addEventListener("close", () => ok(dialog.returnValue === "yes"), { once: true }));
}

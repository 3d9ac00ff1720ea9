/**
 * A Live is one polite live region. It says what matters and nothing twice:
 * what comes while something was just said waits, and of several sentences
 * about one thing only the latest is said.
 */
export class Live {
  private waiting = new Map<string, string>();
  private timer = 0;

  /** element has role=status; pause is the milliseconds between two sentences. */
  constructor(
    private element: Element,
    private pause = 1500,
  ) {}

  say(about: string, sentence: string): void {
    this.waiting.delete(about); // the latest goes to the end
    this.waiting.set(about, sentence);
    if (!this.timer) this.timer = window.setTimeout(() => this.next(), 100);
  }

  private next(): void {
    this.timer = 0;
    if (!this.waiting.size) {
      this.element.textContent = ""; // what is old is not found by browsing either
      return;
    }
    // Three at a time are a sentence that one can listen to; more are a storm.
    const all = [...this.waiting.values()];
    this.waiting.clear();
    const said = all.slice(0, 3);
    if (all.length > 3) said.push(`And ${all.length - 3} more.`);
    this.element.textContent = said.join(" ");
    this.timer = window.setTimeout(() => this.next(), this.pause);
  }
}

/** quarter is the mark that a share of the whole has passed: 0, 25, 50 or 75. */
export const quarter = (share: number): number => Math.min(Math.floor(share * 4), 3) * 25;

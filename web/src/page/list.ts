/** A Row shows one entry at a time; rows are used again for other entries. */
export interface Row<T> {
  readonly element: HTMLElement;
  /** Takes another entry. */
  show(entry: T): void;
  /** The entry may have changed. */
  paint(): void;
}

/**
 * A List shows thousands of entries in rows of two heights, of which only those
 * exist that are in sight, and the one that has the focus. The document itself
 * scrolls.
 */
export class List<T, R extends Row<T>> {
  private entries: readonly T[] = [];
  private rows = new Map<T, R>();
  private spare: R[] = [];
  private tops: number[] = [0]; // of each entry, and the end; pixels
  private heights: [usual: number, tall: number] = [0, 0];

  constructor(
    readonly element: HTMLElement,
    private make: () => R,
    private tall: (entry: T) => boolean,
  ) {
    const again = () => requestAnimationFrame(() => this.place());
    addEventListener("scroll", again, { passive: true });
    addEventListener("resize", () => {
      this.heights = [0, 0];
      this.set(this.entries);
    });
  }

  /** set shows these entries; each may be in it once only. */
  set(entries: readonly T[]): void {
    this.entries = entries;
    if (!this.heights[0]) this.heights = [this.measure(""), this.measure("tall")];
    const [usual, tall] = this.heights;
    const tops = [0];
    for (const [i, entry] of entries.entries()) tops.push(tops[i]! + (this.tall(entry) ? tall : usual));
    this.tops = tops;
    this.element.style.height = `${tops.at(-1)!}px`;
    this.place();
  }

  /** paint brings all rows in sight up to date. */
  paint(): void {
    for (const row of this.rows.values()) row.paint();
  }

  /** row is the one that shows an entry, if it is in sight. */
  row(entry: T): R | undefined {
    return this.rows.get(entry);
  }

  private measure(kind: string): number {
    const probe = this.element.appendChild(document.createElement("li"));
    probe.className = kind;
    const { height } = probe.getBoundingClientRect();
    probe.remove();
    return height;
  }

  // at is the entry that is so many pixels below the top of the list.
  private at(y: number): number {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tops[middle + 1]! <= y) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private place(): void {
    const above = -this.element.getBoundingClientRect().top;
    const first = Math.max(this.at(above) - 4, 0);
    const last = Math.min(this.at(above + innerHeight) + 5, this.entries.length);

    const wanted = new Map<T, number>();
    for (let i = first; i < last; i++) wanted.set(this.entries[i]!, i);
    const focused = document.activeElement;
    for (const [entry, row] of this.rows) {
      if (wanted.has(entry)) continue;
      if (focused && row.element.contains(focused)) {
        const i = this.entries.indexOf(entry);
        if (i >= 0) {
          wanted.set(entry, i);
          continue;
        }
      }
      row.element.remove();
      this.rows.delete(entry);
      this.spare.push(row);
    }
    // In the order of the list, so that the Tab key goes from one to the next.
    let next = this.element.firstElementChild;
    for (const [entry, i] of [...wanted].sort((a, b) => a[1] - b[1])) {
      let row = this.rows.get(entry);
      if (!row) {
        row = this.spare.pop() ?? this.make();
        row.show(entry);
        this.rows.set(entry, row);
      }
      const e = row.element;
      e.style.transform = `translateY(${this.tops[i]!}px)`;
      e.classList.toggle("tall", this.tall(entry));
      e.setAttribute("aria-posinset", String(i + 1));
      e.setAttribute("aria-setsize", String(this.entries.length));
      if (e === next) next = e.nextElementSibling;
      else this.element.insertBefore(e, next);
    }
  }
}

// Runs of bytes [start, end), and sorted, disjoint lists of them.

export type Extent = readonly [start: number, end: number];

export const total = (s: readonly Extent[]): number => s.reduce((n, [a, b]) => n + b - a, 0);

/** Sorts, merges, and leaves out what is empty. */
export function union(s: readonly Extent[]): Extent[] {
  const all: [number, number][] = [];
  for (const [a, b] of [...s].sort((x, y) => x[0] - y[0])) {
    const last = all[all.length - 1];
    if (a >= b) continue;
    if (last && a <= last[1]) last[1] = Math.max(last[1], b);
    else all.push([a, b]);
  }
  return all;
}

/** What of [0, size) is not in s. */
export function missing(s: readonly Extent[], size: number): Extent[] {
  const gaps: Extent[] = [];
  let at = 0;
  for (const [a, b] of [...union(s), [size, size]] as Extent[]) {
    gaps.push([at, Math.min(a, size)]);
    at = Math.max(at, b);
  }
  return union(gaps);
}

/** Reads "0-99,200-299". What cannot be read counts as missing; it is sent again, which harms nobody. */
export function parse(text: string): Extent[] {
  return union(Array.from(text.matchAll(/(\d+)-(\d+)/g), ([, a, b]) => [+a!, +b! + 1]));
}

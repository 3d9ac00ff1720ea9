/** How quantities are told to people, in the language of the document. */

const language = (): string | undefined => {
  const said = typeof document === "undefined" ? "" : document.documentElement.lang;
  return said || undefined;
};

const made = new Map<string, Intl.NumberFormat>();

function number(key: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  let f = made.get(key);
  if (!f) made.set(key, (f = new Intl.NumberFormat(language(), options)));
  return f;
}

const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** bytes tells a size in steps of 1000, with three digits. */
export function bytes(n: number, suffix = ""): string {
  let step = 0;
  while (n >= 999.5 && step < units.length - 1) {
    n /= 1000;
    step++;
  }
  const digits = step === 0 || n >= 99.5 ? 0 : n >= 9.95 ? 1 : 2;
  const unit = units[step]! + suffix;
  return number(unit + digits, {
    style: "unit",
    unit,
    unitDisplay: step === 0 && !suffix ? "long" : "short",
    minimumFractionDigits: 0,
    maximumFractionDigits: digits,
  }).format(n);
}

/** rate tells a speed in bytes per second. */
export const rate = (n: number): string => bytes(n, "-per-second");

/** count tells how many. */
export const count = (n: number): string => number("count", {}).format(n);

/** files tells how many files. */
export const files = (n: number): string => `${count(n)} ${n === 1 ? "file" : "files"}`;

/** hundredths never says 100 before all is done: what has left may still be lost. */
export const hundredths = (part: number, done: boolean): number =>
  done ? 100 : Math.min(Math.max(Math.floor(part * 100), 0), 99);

/** percent tells how far what is not done yet is, so it never says 100. */
export const percent = (part: number): string =>
  number("percent", { style: "percent" }).format(hundredths(part, false) / 100);

/** span tells seconds as a person would: the two largest units at most. */
export function span(seconds: number): string {
  const s = Math.max(Math.ceil(seconds), 0);
  const one = (n: number, unit: string) =>
    number("span" + unit, { style: "unit", unit, unitDisplay: "short" }).format(n);
  if (s < 90) return one(s, "second");
  if (s < 5400) return one(Math.round(s / 60), "minute");
  if (s < 86400) return `${one(Math.floor(s / 3600), "hour")} ${one(Math.round((s % 3600) / 60) % 60, "minute")}`;
  return `${one(Math.floor(s / 86400), "day")} ${one(Math.floor((s % 86400) / 3600), "hour")}`;
}

/** named is a name within a sentence, whose direction it leaves alone. */
export const named = (name: string): string => (/[\u0590-\u08ff\u202a-\u202e\ufb1d-\ufefc]/.test(name) ? `\u2068${name}\u2069` : name);

/** middle splits a name so that its end, which tells files apart, is never cut off. */
export function middle(name: string): [string, string] {
  const all = [...name];
  if (all.length < 16) return [name, ""];
  return [all.slice(0, -8).join(""), all.slice(-8).join("")];
}

// CRC-64/NVME: polynomial 0xad93d23594c93659, reflected, initial value and
// final XOR all ones. The checksum of no bytes is 0n.

/**
 * Makes the function that sums up bytes, eight at a time. It uses nothing from
 * outside, because its text is the worker's program too. A checksum is two
 * halves of 32 bits, high first.
 */
export function makeSum(): (bytes: Uint8Array) => [number, number] {
  const low = new Int32Array(2048);
  const high = new Int32Array(2048);
  for (let i = 0; i < 256; i++) {
    let l = i;
    let h = 0;
    for (let bit = 0; bit < 8; bit++) {
      const odd = l & 1;
      l = (l >>> 1) | (h << 31);
      h >>>= 1;
      if (odd) {
        l ^= 0xac4bc9b5;
        h ^= 0x9a6c9329;
      }
    }
    low[i] = l;
    high[i] = h;
  }
  for (let i = 256; i < 2048; i++) {
    const l = low[i - 256]!;
    const h = high[i - 256]!;
    low[i] = ((l >>> 8) | (h << 24)) ^ low[l & 255]!;
    high[i] = (h >>> 8) ^ high[l & 255]!;
  }
  return (bytes) => {
    let l = -1;
    let h = -1;
    let i = 0;
    for (const end = bytes.length - 7; i < end; i += 8) {
      l ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
      h ^= bytes[i + 4]! | (bytes[i + 5]! << 8) | (bytes[i + 6]! << 16) | (bytes[i + 7]! << 24);
      const a = 1792 + (l & 255);
      const b = 1536 + ((l >>> 8) & 255);
      const c = 1280 + ((l >>> 16) & 255);
      const d = 1024 + (l >>> 24);
      const e = 768 + (h & 255);
      const f = 512 + ((h >>> 8) & 255);
      const g = 256 + ((h >>> 16) & 255);
      const k = h >>> 24;
      l = low[a]! ^ low[b]! ^ low[c]! ^ low[d]! ^ low[e]! ^ low[f]! ^ low[g]! ^ low[k]!;
      h = high[a]! ^ high[b]! ^ high[c]! ^ high[d]! ^ high[e]! ^ high[f]! ^ high[g]! ^ high[k]!;
    }
    for (; i < bytes.length; i++) {
      const t = (l ^ bytes[i]!) & 255;
      l = ((l >>> 8) | (h << 24)) ^ low[t]!;
      h = (h >>> 8) ^ high[t]!;
    }
    return [~h >>> 0, ~l >>> 0];
  };
}

export const join = (halves: [number, number]): bigint => (BigInt(halves[0]) << 32n) | BigInt(halves[1]);

const POLY = 0x9a6c9329ac4bc9b5n;

/** a·b modulo the polynomial; bit 63 is the coefficient of x^0. */
function multiply(a: bigint, b: bigint): bigint {
  let r = 0n;
  for (let bit = 63n; bit >= 0n; bit--) {
    if ((a >> bit) & 1n) r ^= b;
    b = b & 1n ? (b >> 1n) ^ POLY : b >> 1n;
  }
  return r;
}

/** What a checksum is multiplied by when so many bytes follow: x^(8·length). */
function shift(length: number): bigint {
  let s = 1n << 63n;
  let power = 1n << 55n;
  for (let n = BigInt(length); n; n >>= 1n) {
    if (n & 1n) s = multiply(s, power);
    power = multiply(power, power);
  }
  return s;
}

/**
 * The checksum of pieces one after another, each by its checksum and length in
 * bytes. The pieces of a file are mostly of one length.
 */
export function combine(pieces: Iterable<readonly [crc: bigint, length: number]>): bigint {
  const shifts = new Map<number, bigint>();
  let all = 0n;
  for (const [crc, length] of pieces) {
    let s = shifts.get(length);
    if (s === undefined) shifts.set(length, (s = shift(length)));
    all = multiply(all, s) ^ crc;
  }
  return all;
}

/** As the protocol writes it: eight bytes in base64, the most significant first. */
export const base64 = (crc: bigint): string =>
  btoa(String.fromCharCode(...Array.from({ length: 8 }, (_, i) => Number((crc >> BigInt(56 - 8 * i)) & 255n))));

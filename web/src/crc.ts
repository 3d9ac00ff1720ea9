// CRC-64/NVME: polynomial 0xad93d23594c93659, reflected, initial value and
// final XOR all ones. The checksum of no bytes is 0n.

/**
 * Makes the function that sums up bytes, four at a time; eight are not faster.
 * It uses nothing from outside, because its text is the worker's program too.
 */
export function makeSum(): (bytes: Uint8Array) => bigint {
  const low = new Int32Array(1024);
  const high = new Int32Array(1024);
  for (let i = 0; i < 256; i++) {
    let c = BigInt(i);
    for (let bit = 0; bit < 8; bit++) c = c & 1n ? (c >> 1n) ^ 0x9a6c9329ac4bc9b5n : c >> 1n;
    low[i] = Number(BigInt.asIntN(32, c));
    high[i] = Number(c >> 32n);
  }
  for (let i = 256; i < 1024; i++) {
    const l = low[i - 256]!;
    const h = high[i - 256]!;
    low[i] = ((l >>> 8) | (h << 24)) ^ low[l & 255]!;
    high[i] = (h >>> 8) ^ high[l & 255]!;
  }
  return (bytes) => {
    let l = -1;
    let h = -1;
    let i = 0;
    for (const end = bytes.length - 3; i < end; i += 4) {
      const a = 768 + ((l ^ bytes[i]!) & 255);
      const b = 512 + (((l >>> 8) ^ bytes[i + 1]!) & 255);
      const c = 256 + (((l >>> 16) ^ bytes[i + 2]!) & 255);
      const d = (l >>> 24) ^ bytes[i + 3]!;
      l = h ^ low[a]! ^ low[b]! ^ low[c]! ^ low[d]!;
      h = high[a]! ^ high[b]! ^ high[c]! ^ high[d]!;
    }
    for (; i < bytes.length; i++) {
      const t = (l ^ bytes[i]!) & 255;
      l = ((l >>> 8) | (h << 24)) ^ low[t]!;
      h = (h >>> 8) ^ high[t]!;
    }
    return (BigInt(~h >>> 0) << 32n) | BigInt(~l >>> 0);
  };
}

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
    if (!s) shifts.set(length, (s = shift(length)));
    all = multiply(all, s) ^ crc;
  }
  return all;
}

/** As the protocol writes it: eight bytes in base64, the most significant first. */
export const base64 = (crc: bigint): string =>
  btoa(crc.toString(16).padStart(16, "0").replace(/../g, (byte) => String.fromCharCode(parseInt(byte, 16))));

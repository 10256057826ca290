/**
 * Deterministic pseudo-randomness: everything generated is a pure function of a seed and a number,
 * so two million rows need no memory and every run with one seed sees the same data.
 */

/** A well mixed 32-bit number from a seed and an index (the finaliser of MurmurHash3). */
export function hash32(seed: number, value: number): number {
  let h = (value ^ Math.imul(seed, 0x9e3779b1)) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A generator of numbers in [0, 1) (mulberry32). */
export function randomSequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A reversible shuffle of the 32-bit numbers: a Feistel network of four rounds. */
export function shuffle32(seed: number, value: number): number {
  let left = value >>> 16;
  let right = value & 0xffff;
  for (let round = 0; round < 4; round += 1) {
    [left, right] = [right, left ^ (hash32(seed + round, right) & 0xffff)];
  }
  return ((left << 16) | right) >>> 0;
}

/** The inverse of `shuffle32`. */
export function unshuffle32(seed: number, value: number): number {
  let left = value >>> 16;
  let right = value & 0xffff;
  for (let round = 3; round >= 0; round -= 1) {
    [left, right] = [right ^ (hash32(seed + round, left) & 0xffff), left];
  }
  return ((left << 16) | right) >>> 0;
}

/** The GUID of the row with this index: looks random, and `guidIndex` finds the index again. */
export function guidOf(seed: number, index: number): string {
  const first = shuffle32(seed, index);
  const second = hash32(seed ^ 0x51ed270b, first);
  const third = hash32(seed ^ 0x2545f491, second);
  const fourth = hash32(seed ^ 0x1b873593, third);
  const a = hex8(first);
  const b = hex8(second);
  const c = hex8(third);
  const variant = "89ab"[third >>> 30] ?? "8";
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-${variant}${c.slice(1, 4)}-${c.slice(4)}${hex8(fourth)}`;
}

/** The index that `guidOf` made this GUID from, or -1 if it never did. */
export function guidIndex(seed: number, guid: string, count: number): number {
  const first = Number.parseInt(guid.slice(0, 8), 16);
  if (Number.isNaN(first)) return -1;
  const index = unshuffle32(seed, first);
  return index < count && guidOf(seed, index) === guid ? index : -1;
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, "0");
}

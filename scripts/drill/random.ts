/** A number in [0, 1), as from Math.random. */
export type Random = () => number;

/** The same seed always gives the same numbers (mulberry32, public domain), so a drill can be repeated. */
export function seedRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from `least` to `most`, both included. */
export function chooseInteger(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

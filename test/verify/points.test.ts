import { expect, test } from "vitest";

import { countFilesTo, listPoints, Settled } from "../../app/verify/survey-bucket.ts";

const epoch = "0001-00000000";
const name = (txid: number) => txid.toString(16).padStart(16, "0");
const key = (level: number, min: number, max: number) =>
  `epochs/${epoch}/${level.toString(16).padStart(4, "0")}/${name(min)}-${name(max)}.ltx`;

test("the points are the ends of kept files from the first base on, without the newest state", () => {
  const keys = [key(0, 11, 11), key(0, 12, 12), key(1, 1, 5), key(1, 6, 10), key(2, 1, 10), key(9, 1, 7)];
  expect(listPoints(keys)).toEqual([5, 7, 10].map(name));
  // Retention has taken what came before the first snapshot.
  expect(listPoints([key(1, 6, 10), key(1, 11, 15), key(9, 1, 10), key(0, 16, 16)])).toEqual([10, 15].map(name));
  expect(listPoints([key(1, 6, 10)])).toEqual([]);
  expect(listPoints([])).toEqual([]);
});

test("a state between files of level 0 is no point, because the first of them are gone first", () => {
  expect(listPoints([key(1, 1, 5), key(1, 6, 10), key(0, 8, 8), key(0, 9, 9), key(0, 10, 10), key(0, 11, 11)])).toEqual(
    [5, 10].map(name),
  );
});

test("a hole in the past fails, though a later base keeps the newest state whole", () => {
  const keys = [key(1, 1, 5), key(1, 11, 15), key(9, 1, 20)];
  expect(listPoints(keys)).toEqual([5, 15].map(name));
  expect(countFilesTo(epoch, keys, name(5))).toBe(1);
  const reach = () => countFilesTo(epoch, keys, name(15));
  expect(reach).toThrow(Settled);
  expect(reach).toThrow(`the state of TXID ${name(15)} cannot be restored: epochs/${epoch}/`);
});

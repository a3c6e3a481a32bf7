import { expect, test } from "vitest";

import { mutations } from "../mutations/mutations.ts";
import { MutatedTree } from "../mutations/run-mutation.ts";

test.each(mutations)("a program that $name turns a test red, and without that error it is green", async (mutation) => {
  await using tree = new MutatedTree();
  const sound = await tree.runTests(mutation);
  expect(sound.failed, sound.output).toBe(0);
  tree.mutate(mutation);
  const mutated = await tree.runTests(mutation);
  expect(mutated.failed, mutated.output).toBeGreaterThan(0);
});

test("a mutation whose text no longer exists is reported, not skipped", async () => {
  await using tree = new MutatedTree();
  const [first] = mutations;
  if (first === undefined) throw new Error("there are no mutations");
  expect(() => tree.mutate({ ...first, edits: [["this text is nowhere", ""]] })).toThrow("0 times, must be once");
});

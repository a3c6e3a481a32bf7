import { expect, test } from "vitest";

import { judgeInstallation } from "../../app/deploys/judge-installation.ts";

const [old, next] = ["1".repeat(64), "2".repeat(64)];
const deploy = { way: "bucket", previous: old };

const judge = (code: number, words: string, report = deploy) => {
  const installation = { state: "ended", code, words } as const;
  return judgeInstallation(report, { installation, current: old, isReady: false });
};

test.each([
  [0, "serving"],
  [100, "refused"],
  [101, "rolled-back"],
  [102, "failed"],
  // Of a release from before the codes were agreed, or none that we know.
  [1, "failed"],
])("exit code %i means %s, whatever was said", (code, outcome) => {
  for (const words of ["", "lifeboat: x does not get ready, going back to y", "lifeboat: refused: a; next: b"])
    expect(judge(code, words)).toMatchObject({ outcome });
});

test("a stop that succeeds has stopped the services", () => {
  expect(judge(0, "", { way: "stop", previous: old })).toMatchObject({ outcome: "stopped", cause: null });
});

test("what a machine that serves says of itself is kept, and nothing else", () => {
  const words = "noise\nlifeboat: this machine is not hardened\n";
  expect(judge(0, words + words)).toMatchObject({ outcome: "serving", words: "this machine is not hardened" });
  expect(judge(0, "noise\n").words).toBeNull();
});

test.each([
  [
    "x\nlifeboat: refused: the bucket has no release; next: npm run up\nlifeboat: going back",
    { cause: "the bucket has no release", next: "npm run up" },
  ],
  ["lifeboat: one\nnoise\nlifeboat: two", { cause: "one; two" }],
  ["curl: (28) Operation too slow\n", { cause: "it ended with exit code 100: curl: (28) Operation too slow" }],
  [`lifeboat: refused: the first of many; next: look\n${"noise\n".repeat(2_000)}`, { cause: "the first of many" }],
])("the words explain it: %#", (words, told) => {
  const verdict = judge(100, words);
  expect(verdict).toMatchObject(told);
  expect(verdict.words?.length).toBeLessThanOrEqual(4_000);
});

test.each([
  [old, true, "rolled-back"],
  [old, false, "failed"],
  [next, true, "failed"],
])("one that was cut off on %s, ready %s, is judged by what serves", (current, isReady, outcome) => {
  const verdict = judgeInstallation(deploy, { installation: { state: "gone" }, current, isReady });
  expect(verdict).toMatchObject({ outcome, cause: expect.stringContaining("cut off") });
});

import { expect, test } from "vitest";

import { judgeInstallation } from "../../app/deploys/judge-installation.ts";

const [old, next] = ["1".repeat(64), "2".repeat(64)];
const report = { sha256: next, previous: old };

test.each([
  [0, next, "", { outcome: "serving", cause: null }],
  [
    100,
    old,
    "x\nlifeboat: refused: the bucket has no release; next: npm run up",
    { outcome: "refused", cause: "the bucket has no release", next: "npm run up" },
  ],
  [1, old, "lifeboat: the release cannot serve this database, and nothing was stopped", { outcome: "refused" }],
  [1, old, "lifeboat: /x does not get ready, going back to /y", { outcome: "rolled-back" }],
  [1, next, "lifeboat: /x does not get ready and has migrated, so there is no going back to /y", { outcome: "failed" }],
  [
    28,
    old,
    "curl: (28) Operation too slow",
    { outcome: "refused", cause: expect.stringContaining("28"), words: expect.stringContaining("too slow") },
  ],
])("an installation that ends with %i on %s is told with its cause", (code, current, words, told) => {
  expect(judgeInstallation(report, { installation: { state: "ended", code, words }, current })).toMatchObject(told);
});

test.each([
  [old, "refused"],
  [next, "failed"],
])("one that was cut off on %s is told as such", (current, outcome) => {
  const verdict = judgeInstallation(report, { installation: { state: "gone" }, current });
  expect(verdict).toMatchObject({ outcome, cause: expect.stringContaining("cut off") });
});

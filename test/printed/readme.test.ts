import { expect, test } from "vitest";

import { readme } from "./readme.ts";

// The quick start itself is typed in test/engine/readme.test.ts, the first request in test/service.
test("the README says what one gets before it shows what it prints, in fewer than 150 lines", () => {
  expect(readme.trimEnd().split("\n").length).toBeLessThan(150);
  expect(readme.indexOf("What you get:")).toBeLessThan(readme.indexOf("Lifeboat drill, seed"));
});

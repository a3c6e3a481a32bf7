import { expect, test } from "vitest";

import { platformOf } from "../../cloud-init/built-release.ts";

test.each(["cx23", "cx33", "cpx32", "ccx23"])("%s is a machine for the release of x64", (serverType) => {
  expect(platformOf(serverType)).toBe("linux-x64");
});

test.each(["cax11", "cax21", "cax41"])("%s is a machine for the release of arm64", (serverType) => {
  expect(platformOf(serverType)).toBe("linux-arm64");
});

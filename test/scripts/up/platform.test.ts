import { expect, test } from "vitest";

import { platformOf as platformOfProgram } from "../../../infra/config.ts";
import { platformOf } from "../../../scripts/up/ensure-release.ts";

test.each(["cx23", "cx33", "cpx32", "ccx23", "cax11", "cax21", "cax41"])(
  "up builds the release for %s that the program asks for",
  (serverType) => {
    expect(platformOf(serverType)).toBe(platformOfProgram(serverType));
  },
);

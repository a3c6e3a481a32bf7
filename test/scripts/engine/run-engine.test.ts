import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { expect, test } from "vitest";

import { explain } from "../../../scripts/engine/run-engine.ts";

test("a failure is told once, without the engine's colours and without what follows from it", () => {
  const events = ["<{%reset%}>sold out in fsn1<{%reset%}>\n", "sold out in fsn1", "update failed"].map(say);
  expect(explain(events, "")).toBe("sold out in fsn1");
});

test("a failure before the first event is told by what the command wrote to stderr", () => {
  const output = "code: 255\n stdout: \n stderr: error: the stack is currently locked\n err?: Error\n";
  expect(explain([], output)).toBe("error: the stack is currently locked");
});

function say(message: string): EngineEvent {
  return { sequence: 1, timestamp: 1, diagnosticEvent: { message, color: "never", severity: "error" } };
}

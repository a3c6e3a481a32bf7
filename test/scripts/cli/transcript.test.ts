import { Writable } from "node:stream";

import { expect, test } from "vitest";

import { Transcript } from "../../../app/cli/transcript.ts";

function listen(colour: boolean) {
  const heard: string[] = [];
  const output = new Writable({ write: (chunk, _, done) => (heard.push(String(chunk)), done()) });
  return { heard, transcript: new Transcript({ output, colour }) };
}

test("a step is one line with mark, name, seconds and evidence", async () => {
  const { heard, transcript } = listen(false);
  const result = await transcript.step("machine A serves", async () => 42, String);
  expect(result).toBe(42);
  expect(heard).toHaveLength(1);
  expect(heard[0]).toMatch(/^\[PASS\] machine A serves +\d+\.\d\d s {2}42\n$/);
});

test("a step that throws is marked and throws on", async () => {
  const { heard, transcript } = listen(false);
  const step = transcript.step("boot", async () => Promise.reject(new Error("refused")), String);
  await expect(step).rejects.toThrow("refused");
  expect(heard.join("")).toMatch(/^\[FAIL\] boot/);
});

test("only a coloured transcript holds escape characters", () => {
  const plain = listen(false);
  const coloured = listen(true);
  for (const { transcript } of [plain, coloured]) transcript.check("PASS", "boot", { evidence: "" });
  expect(plain.heard.join("")).not.toContain("\u001B");
  expect(coloured.heard.join("")).toContain("\u001B");
});

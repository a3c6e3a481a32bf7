import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, expect, test } from "vitest";

import { assertLitestream } from "../../app/replica/litestream.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";

const directory = mkdtempSync(join(tmpdir(), "lifeboat-version-"));
afterAll(() => rmSync(directory, { recursive: true }));

function makeProgram(prints: string): string {
  const path = join(directory, `prints-${prints}`);
  writeFileSync(path, `#!/bin/sh\necho '${prints}'\n`);
  chmodSync(path, 0o755);
  return path;
}

test("the pinned Litestream is taken", async () => {
  await assertLitestream(await resolveBinary("litestream"));
});

test.each(["v0.5.17", "0.5.18"])("version %s is taken", (version) => assertLitestream(makeProgram(version)));

test.each(["0.5.16", "v0.3.13", "0.6.0", "(development build)"])("version %s is refused by name", async (version) => {
  const refusal = assertLitestream(makeProgram(version));
  await expect(refusal).rejects.toThrow(`is Litestream ${version}; 0.5.17 or a newer 0.5 is needed`);
});

test("a Litestream that is not there is named, with the way to mend it", async () => {
  const missing = assertLitestream(join(directory, "nowhere"));
  await expect(missing).rejects.toThrow(/nowhere cannot be run: install Litestream, or .* LIFEBOAT_LITESTREAM/);
});

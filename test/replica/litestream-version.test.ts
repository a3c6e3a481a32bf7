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

test("the pinned Litestream is accepted", async () => {
  await assertLitestream(await resolveBinary("litestream"));
});

test.each(["v0.5.17", "0.5.18"])("version %s is taken", (version) => assertLitestream(makeProgram(version)));

test.each(["0.5.16", "v0.3.13", "0.6.0", "(development build)"])("version %s is refused by name", async (version) => {
  const refusal = assertLitestream(makeProgram(version));
  await expect(refusal).rejects.toThrow(`is Litestream ${version}; 0.5.17 or a newer 0.5 is needed`);
});

test("a missing Litestream is reported, with what to do", async () => {
  const missing = assertLitestream(join(directory, "nowhere"));
  await expect(missing).rejects.toThrow(/nowhere cannot be run: install Litestream, or .* LIFEBOAT_LITESTREAM/);
});

test("one that does not answer on an overloaded machine is not told as missing", async () => {
  const slow = join(directory, "slow");
  writeFileSync(slow, "#!/bin/sh\nexec sleep 60\n");
  chmodSync(slow, 0o755);
  await expect(assertLitestream(slow, 200)).rejects.toThrow("within 0.2 s: is this machine overloaded");
});

import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { makeTemporaryDirectory } from "../database/temporary-directory.ts";
import { findOfficial } from "./toolchain/find-engine.ts";
import { engineVersion } from "./toolchain/versions.ts";

async function install(folder: string, { version, languageHost }: { version: string; languageHost: boolean }) {
  await mkdir(folder, { recursive: true });
  const names = languageHost ? ["pulumi", "pulumi-language-nodejs"] : ["pulumi"];
  await Promise.all(
    names.map(async (name) => {
      await writeFile(join(folder, name), `#!/bin/sh\necho v${version}\n`);
      await chmod(join(folder, name), 0o755);
    }),
  );
  return join(folder, "pulumi");
}

test("an official pulumi of the pinned version on PATH is used, and no other one", async () => {
  using directory = makeTemporaryDirectory();
  const [old, bare, right] = ["old", "bare", "right"].map((name) => join(directory.path, name));
  await install(old ?? "", { version: "3.200.0", languageHost: true });
  await install(bare ?? "", { version: engineVersion, languageHost: false });
  expect(await findOfficial(`${old}:${bare}`)).toBeNull();
  const official = await install(right ?? "", { version: engineVersion, languageHost: true });
  expect(await findOfficial(`${old}:${bare}:${right}`)).toBe(official);
});

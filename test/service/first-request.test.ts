import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

import { token } from "../http/test-server.ts";
import { readBlock } from "../printed/readme.ts";
import { startProductServer } from "../product/product-server.ts";

test("the first request of the README makes a customer", async () => {
  await using server = await startProductServer();
  await server.server.listen({ port: 0, host: "127.0.0.1" });
  const address = server.server.server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const folder = mkdtempSync(join(tmpdir(), "lifeboat-readme-"));
  // Answers what a stack would.
  const pulumi = `#!/bin/sh\ncase "$*" in "stack output url") echo http://127.0.0.1:${port};; "config get apiTokens") echo ${token};; *) exit 1;; esac\n`;
  writeFileSync(join(folder, "pulumi"), pulumi, { mode: 0o755 });
  const env = { PATH: `${folder}:/usr/bin:/bin` };
  const { stdout } = await promisify(execFile)("/bin/sh", ["-euc", readBlock("curl -sS ")], { env });
  rmSync(folder, { recursive: true });
  expect(JSON.parse(stdout)).toMatchObject({ name: "Ada", email: "ada@example.com" });
});

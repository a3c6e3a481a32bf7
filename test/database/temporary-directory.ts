import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory on the real disk that is gone at the end of the block. */
export function makeTemporaryDirectory(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), "lifeboat database "));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

/** A directory that is removed at the end of the block. It must be on a real disk: on tmpfs an fsync costs nothing. */
export function makeScratchDirectory(parent: string): Disposable & { path: string } {
  const path = mkdtempSync(join(parent, "lifeboat-bench-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

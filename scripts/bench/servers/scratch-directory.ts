import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

import type { Leftovers } from "../../local/leftovers.ts";

/** A directory that is removed at the end of the block, and by `leftovers` if the process ends before. */
export function makeScratchDirectory(parent: string, leftovers?: Leftovers): Disposable & { path: string } {
  const path = mkdtempSync(join(parent, "lifeboat-bench-"));
  leftovers?.addPath(path);
  const remove = () => {
    rmSync(path, { recursive: true, force: true, maxRetries: 5 });
    leftovers?.forgetPath(path);
  };
  return { path, [Symbol.dispose]: remove };
}

import { watch } from "node:fs";
import { basename, sep } from "node:path";

/** Editors save in several steps. */
const settleMs = 150;

/**
 * Tells of changes under a folder, once for all that come together, with the paths in it. What changes while `tell` is at
 * work is told together when that is done. Temporary files of editors do not count.
 */
export function watchSources(folder: string, tell: (paths: readonly string[]) => Promise<void>): Disposable {
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let isTelling = false;
  const tellAll = async (): Promise<void> => {
    if (isTelling) return;
    isTelling = true;
    while (changed.size > 0) {
      const paths = [...changed].toSorted();
      changed.clear();
      await tell(paths);
    }
    isTelling = false;
  };
  const watcher = watch(folder, { recursive: true }, (_event, path) => {
    if (path === null || !isSource(basename(path))) return;
    changed.add(path.replaceAll(sep, "/"));
    clearTimeout(timer);
    timer = setTimeout(() => void tellAll(), settleMs);
  });
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      changed.clear();
      watcher.close();
    },
  };
}

/** Whether a release would carry such a file: any with an ending, since pages have pictures and fonts too. */
function isSource(name: string): boolean {
  return /^[^.#].*\.\w+$/.test(name) && !/\.(sw\w|tmp|bak)$|___jb_/.test(name);
}

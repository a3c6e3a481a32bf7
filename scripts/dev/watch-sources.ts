import { basename, relative, sep } from "node:path";

import { watch } from "chokidar";

/** Editors save in several steps. */
const settleMs = 150;

/**
 * Calls `tell` when sources under a folder change, once for all changes that come together, with their paths below the
 * folder. What changes while `tell` works, it gets when it is done. Resolves when the watch stands. Temporary files of
 * editors do not count. A library watches, since Node's recursive `fs.watch` loses a file that an editor replaces.
 */
export async function watchSources(
  folder: string,
  tell: (paths: readonly string[]) => Promise<void>,
): Promise<AsyncDisposable> {
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
  const watcher = watch(folder, { ignoreInitial: true }).on("all", (_event, path) => {
    if (!isSource(basename(path))) return;
    changed.add(relative(folder, path).replaceAll(sep, "/"));
    clearTimeout(timer);
    timer = setTimeout(() => void tellAll(), settleMs);
  });
  await new Promise<void>((resolve) => watcher.once("ready", resolve));
  return {
    [Symbol.asyncDispose]: async () => {
      clearTimeout(timer);
      changed.clear();
      await watcher.close();
    },
  };
}

/** Whether a release would carry such a file: any with an ending, since pages have pictures and fonts too. */
function isSource(name: string): boolean {
  return /^[^.#].*\.\w+$/.test(name) && !/\.(sw\w|tmp|bak)$|___jb_/.test(name);
}

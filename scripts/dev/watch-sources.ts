import { watch } from "node:fs";
import { sep } from "node:path";

/** Editors save in several steps. */
const settleMs = 150;

/**
 * Tells of changes under a folder, once for all that come together, with the paths in it. Temporary files of editors do
 * not count.
 */
export function watchSources(folder: string, tell: (paths: readonly string[]) => void): Disposable {
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(folder, { recursive: true }, (_event, path) => {
    if (path === null || !/\.(ts|json|sql|html|css|m?js)$/.test(path)) return;
    changed.add(path.replaceAll(sep, "/"));
    clearTimeout(timer);
    timer = setTimeout(() => {
      const paths = [...changed].toSorted();
      changed.clear();
      tell(paths);
    }, settleMs);
  });
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      watcher.close();
    },
  };
}

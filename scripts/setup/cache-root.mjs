import os from "node:os";
import path from "node:path";

/**
 * The folder outside the project for what is downloaded once: `$XDG_CACHE_HOME/lifeboat`, else `~/.cache/lifeboat`.
 * A relative XDG_CACHE_HOME is ignored, as the XDG base directory specification asks; an empty HOME counts as unset.
 * @param {NodeJS.ProcessEnv} env
 * @returns {string}
 */
export function cacheRoot(env) {
  const xdg = env["XDG_CACHE_HOME"];
  if (xdg && path.isAbsolute(xdg)) return path.join(xdg, "lifeboat");
  const home = env["HOME"];
  return path.join(home && path.isAbsolute(home) ? home : os.userInfo().homedir, ".cache", "lifeboat");
}

import { spawn } from "node:child_process";
import path from "node:path";

const npmLimitMs = 15 * 60 * 1000;
const npmVersionLimitMs = 30 * 1000;
// npm 7 brought lockfile version 3; 8 is the oldest that was tried.
const oldestNpm = 8;

/**
 * Throws one sentence when npm is missing or too old.
 * @param {string} folder
 */
export async function requireNpm(folder) {
  const npm = await runNpm(["--version"], { folder, limitMs: npmVersionLimitMs });
  if (npm.code !== 0) throw new Error(`npm ${npm.ending}; install Node.js with npm from https://nodejs.org`);
  const version = (/^\d+\.\d+\.\d+.*$/m.exec(npm.output) || ["0"])[0];
  if (Number(version.split(".")[0]) >= oldestNpm) return;
  throw new Error(
    `npm ${version} is too old, ${oldestNpm} or newer is needed: run "npm install --global npm@${oldestNpm}"`,
  );
}

/**
 * Runs `npm ci` in a folder. Throws when it fails, after showing what it said.
 * @param {string} folder
 */
export async function runNpmCi(folder) {
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"];
  // NODE_ENV=production or `omit` in somebody's npm configuration would leave out what the project needs.
  const complete = ["--include=dev", "--include=optional"];
  // `npm run` hands its own folder down in the environment; --prefix is stronger.
  const npm = await runNpm(["ci", "--prefix", folder, ...quiet, ...complete], { folder, limitMs: npmLimitMs });
  if (npm.code === 0) return;
  throw new Error(`"npm ci" ${npm.ending}; it said:\n${npm.output.trim()}`);
}

/**
 * @param {string[]} args
 * @param {{ folder: string, limitMs: number }} options
 * @returns {Promise<{ code: number | null, output: string, ending: string }>}
 */
function runNpm(args, { folder, limitMs }) {
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: pathWithoutNodeModules() };
    // A group of its own, which we end as a whole: npm outlives Ctrl-C by seconds and would write into the next set-up.
    const child = spawn("npm", args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    const end = () => endGroup(child.pid);
    process.prependOnceListener("exit", end);
    let output = "";
    child.stdout.on("data", (data) => (output += String(data)));
    child.stderr.on("data", (data) => (output += String(data)));
    const limit = setTimeout(end, limitMs);
    /** @param {number | null} code @param {string} ending */
    function finish(code, ending) {
      clearTimeout(limit);
      process.removeListener("exit", end);
      resolve({ code, output, ending });
    }
    child.once("error", (error) => finish(null, `could not be started (${error.message})`));
    child.once("close", (code, signal) =>
      finish(
        code,
        signal ? `was ended by ${signal} (it may take ${limitMs / 1000} s)` : `failed with exit code ${code}`,
      ),
    );
  });
}

/** @param {number | undefined} pid */
function endGroup(pid) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** npm runs on the Node that it came with: Debian's finds its own modules on no other. */
function pathWithoutNodeModules() {
  const entries = (process.env["PATH"] || "").split(path.delimiter);
  return entries.filter((entry) => !entry.includes(`node_modules${path.sep}.bin`)).join(path.delimiter);
}

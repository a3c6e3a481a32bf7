import { spawnSync } from "node:child_process";
import fs from "node:fs";

const prefix = "npm_config_";

/** What npm puts into every script's environment, with our .npmrc; npm need not be asked for it. */
const ordinary = new Set([
  "allow_scripts",
  "cache",
  "global_prefix",
  "globalconfig",
  "init_module",
  "local_prefix",
  "node_gyp",
  "noproxy",
  "npm_version",
  "prefix",
  "user_agent",
  "userconfig",
  "loglevel",
  "audit",
  "fund",
  "min_release_age",
  "save_exact",
  "save_prefix",
]);

/** npm's own that `npm run` does not read, with those behind its short flags (-y, -n, -f, ...): they were meant for the script. */
const misdirected = new Set([
  "yes",
  "dry_run",
  "force",
  "json",
  "diff",
  "tag",
  "all",
  "global",
  "long",
  "message",
  "parseable",
  "call",
  "save",
  "save_dev",
  "save_optional",
  "save_bundle",
]);

/**
 * A flag that npm took for a setting of its own: "dry-run", where the two hyphens were left out. npm writes a negative one, and no value, as "".
 * `isNpms`: one that npm knows, and that `npm run` may read.
 * @typedef {{ key: string, value: string, isNpms: boolean }} NpmFlag
 */

/**
 * The flags that npm kept instead of handing them to the script that it runs. All of its settings are in the script's environment; what the
 * environment of npm itself said, or an .npmrc, is left out, known to npm or not: that was not typed. Where npm's process cannot be looked at (not
 * Linux), a setting of the environment counts as typed.
 * @param {Readonly<Record<string, string | undefined>>} environment
 * @returns {NpmFlag[]}
 */
export function findNpmFlags(environment) {
  // Others hand flags down, and npx has been given its own.
  if (!(environment["npm_config_user_agent"] || "npm/").startsWith("npm/") || environment["npm_command"] === "exec")
    return [];
  const before = environment["npm_lifecycle_event"] ? readNpmEnvironment() : undefined;
  const typed = Object.entries(environment)
    .filter(([variable]) => variable.startsWith(prefix))
    .map(([variable, value]) => ({ name: variable.slice(prefix.length), value: value || "" }))
    .filter(({ name, value }) => !ordinary.has(name) && !(before && before.get(name) === value));
  if (typed.length === 0) return [];
  const settings = askNpm(environment, before || new Map());
  return typed
    .filter(({ name, value }) => settings.get(name) !== value)
    .map(({ name, value }) => {
      const isNpms = misdirected.has(name) ? !before : settings.has(name);
      return { key: name.replace(/_/g, "-"), value, isNpms };
    });
}

/**
 * Complains about flags that npm kept, where another's program runs: it would run without them. Our own programs (`exec node`) look for themselves:
 * they know their flags and words.
 * @param {Readonly<Record<string, string | undefined>>} environment
 * @returns {string | undefined}
 */
export function complainOfNpmFlags(environment) {
  const script = environment["npm_lifecycle_event"];
  if (!script || /exec node \S+/.test(environment["npm_lifecycle_script"] || "")) return undefined;
  const kept = findNpmFlags(environment).filter(({ isNpms }) => !isNpms);
  if (kept.length === 0) return undefined;
  const typed = kept.map(renderTyped).join(" ");
  return (
    `npm kept ${typed} for itself, and nothing was done. Flags stand behind two hyphens: npm run ${script} -- ${typed} ` +
    `(if your environment sets ${prefix}*, unset it)`
  );
}

/**
 * A flag as somebody may have typed it.
 * @param {{ key: string, value: string }} flag
 */
export function renderTyped({ key, value }) {
  if (value === "" || value === "false") return `--no-${key}`;
  const name = key.length === 1 ? `-${key}` : `--${key}`;
  return value === "true" ? name : `${name}=${value}`;
}

/**
 * What npm is set to when nobody types a flag: its defaults, every .npmrc, and the environment that it was started in. Empty when it does not say.
 * @param {Readonly<Record<string, string | undefined>>} environment
 * @param {Map<string, string>} before
 */
function askNpm(environment, before) {
  const others = Object.entries(environment).filter(([variable]) => !variable.startsWith(prefix));
  const kept = [...before].map(([name, value]) => [`${prefix}${name}`, value]);
  // They say which .npmrc there are.
  const files = ["userconfig", "globalconfig"]
    .map((name) => [`${prefix}${name}`, environment[`${prefix}${name}`]])
    .filter(([, value]) => value !== undefined);
  const env = Object.fromEntries([...others, ...kept, ...files]);
  /** @param {string[]} words */
  const ask = (...words) => {
    const program = environment["npm_node_execpath"] || process.execPath;
    const asked = spawnSync(program, [String(environment["npm_execpath"]), "config", ...words], {
      env,
      encoding: "utf8",
    });
    return asked.status === 0 ? asked.stdout : "";
  };
  if (!environment["npm_execpath"]) return new Map();
  const settings = Object.entries(JSON.parse(ask("ls", "-l", "--json") || "{}"));
  // The question itself has set these two.
  const rest = ["json", "long"].filter((name) => environment[`${prefix}${name}`] !== undefined);
  for (const name of rest) settings.push([name, ask("get", name).trim() === "true"]);
  return new Map(settings.map(([key, value]) => [key.replace(/-/g, "_").toLowerCase(), render(value)]));
}

/**
 * A setting as npm writes it into the environment; null, which stands for no setting, as nothing that it writes.
 * @param {unknown} value
 */
function render(value) {
  if (Array.isArray(value)) return value.map(String).join("\n\n");
  return value === false ? "" : String(value);
}

/** The settings in the environment that the npm above us was started in; undefined where that cannot be read. */
function readNpmEnvironment() {
  try {
    for (let pid = process.ppid; pid > 1;) {
      const [, name, parent] = /^\d+ \((.*)\) \S (\d+) /s.exec(fs.readFileSync(`/proc/${pid}/stat`, "utf8")) || [];
      if (name && name.startsWith("npm ")) return readSettings(fs.readFileSync(`/proc/${pid}/environ`, "utf8"));
      pid = Number(parent || 0);
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
  }
  return undefined;
}

/** @param {string} environ */
function readSettings(environ) {
  /** @type {Map<string, string>} */
  const settings = new Map();
  for (const line of environ.split("\0")) {
    const [variable = "", ...value] = line.split("=");
    if (variable.toLowerCase().startsWith(prefix))
      settings.set(variable.slice(prefix.length).replace(/-/g, "_").toLowerCase(), value.join("="));
  }
  return settings;
}

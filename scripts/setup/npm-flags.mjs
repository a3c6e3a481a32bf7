import { spawnSync } from "node:child_process";
import fs from "node:fs";

const prefix = "npm_config_";

/** The settings that npm puts into the environment of every script here. */
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

/** Flags of npm that `npm run` ignores, its short ones (-y, -n, -f, …) included: they were meant for the script. */
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
 * A flag that npm took as its own setting, because `--` was missing. A negative flag, or one without a value, has the
 * value "". `isNpms`: npm knows the flag, and `npm run` may read it.
 * @typedef {{ key: string, value: string, isNpms: boolean }} NpmFlag
 */

/**
 * Finds the flags that npm kept instead of passing them to its script. npm puts all its settings into the script's
 * environment. Those that come from npm's own environment or from an .npmrc were not typed, and are left out. Where npm's
 * environment cannot be read (only Linux has /proc), every setting in the environment counts as typed.
 * @param {Readonly<Record<string, string | undefined>>} environment
 * @returns {NpmFlag[]}
 */
export function findNpmFlags(environment) {
  // Other package managers pass flags on, and npx has read its own.
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
 * Describes the flags that npm kept from a program that is not ours: it would run without them. Our own programs
 * (`exec node`) check for themselves, because they know their flags.
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
 * Asks npm for its settings without flags: from its defaults, every .npmrc and its environment. Empty when it does not
 * answer.
 * @param {Readonly<Record<string, string | undefined>>} environment
 * @param {Map<string, string>} before
 */
function askNpm(environment, before) {
  const others = Object.entries(environment).filter(([variable]) => !variable.startsWith(prefix));
  const kept = [...before].map(([name, value]) => [`${prefix}${name}`, value]);
  // These two name the .npmrc files.
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

import { execFile } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { UsageError } from "../../../app/cli/flags.ts";
import { refuseSwallowedFlags } from "../../../scripts/cli/swallowed-flags.ts";
import { upCommand } from "../../../scripts/up/arguments.ts";
import { doublesCommand } from "../../engine/doubles-command.ts";
import { commands } from "./commands.ts";

const root = join(import.meta.dirname, "../../..");

const flagsOf = commands.flatMap(({ name, flags }) =>
  Object.entries(flags).map(([flag, { type }]) => [name, flag, type] as const),
);

test.each(flagsOf)("%s refuses --%s that npm has kept", (name, flag, type) => {
  const variable = `npm_config_${flag.replace(/^no-/, "").replaceAll("-", "_")}`;
  const value = flag.startsWith("no-") ? "" : type === "string" ? "abc" : "true";
  const { flags } = commands.find((command) => command.name === name) ?? upCommand;
  const read = (words: string[]) => () => refuseSwallowedFlags({ name, flags, words }, { [variable]: value });
  expect(read([])).toThrow(UsageError);
  expect(read([])).toThrow(`npm run ${name} -- --${flag}`);
  expect(read([`--${flag}`])).not.toThrow();
});

test.each([
  [["--location", "hel1"], { yes: "true" }, "--location hel1 --yes"],
  [["--location=hel1"], { yes: "true" }, "--location=hel1 --yes"],
  [["--dry-run", "--stack", "me/production"], { yes: "true" }, "--dry-run --stack me/production --yes"],
  [
    ["--adopt", "b", "--ssh-key", "it's my key.pub"],
    { dry: "true" },
    "--adopt b --ssh-key 'it'\\''s my key.pub' --dry-run",
  ],
  [["--yes"], { stack: "production" }, "--yes --stack production"],
  [["a-bucket", "--yes"], { adopt: "true" }, "--yes --adopt BUCKET"],
])("the command that is advised keeps the values of %j", (words, settings, advised) => {
  const environment = Object.fromEntries(Object.entries(settings).map(([key, value]) => [`npm_config_${key}`, value]));
  const { name, flags } = upCommand;
  expect(() => refuseSwallowedFlags({ name, flags, words }, environment)).toThrow(
    `two hyphens: npm run up -- ${advised} (if`,
  );
});

test("npm's own settings, and negative ones, are not flags", () => {
  const environment = {
    npm_config_user_agent: "npm/11.19.1",
    npm_config_prefix: "/usr",
    npm_config_cache: "/root/.npm",
    npm_config_noproxy: "",
    npm_config_local_prefix: "/project",
    npm_config_globalconfig: "/usr/etc/npmrc",
    npm_config_loglevel: "silent",
    npm_config_yes: "false",
    npm_config_dry_run: "",
    NPM_CONFIG_YES: "true",
  };
  for (const { name, flags } of commands) refuseSwallowedFlags({ name, flags, words: [] }, environment);
});

const refuse = (words: string[], settings: Record<string, string>) => () =>
  refuseSwallowedFlags({ ...doublesCommand, words, ...doublesCommand.findProgram?.(words) }, settings);

test("a flag that the doubles' program would have been given is advised behind its name", () => {
  expect(refuse(["down"], { npm_config_yes: "true" })).toThrow("npm run doubles -- down --yes (if");
  expect(refuse(["down"], { npm_config_delete_dta: "true" })).toThrow(
    "down has no flag --delete-dta; did you mean --delete-data? Flags stand behind two hyphens: npm run doubles -- down --delete-data (if",
  );
  expect(refuse(["pulumi", "preview"], { npm_config_show_sames: "true" })).toThrow(
    "npm run doubles -- pulumi preview --show-sames (if",
  );
});

const { scripts }: { scripts: Record<string, string> } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const isOurs = (script: string) => script.includes("exec node ");

let project: string;
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "lifeboat npm "));
  const probe = [
    `const { readOptions } = await import(${JSON.stringify(join(root, "scripts/cli/run-verb.ts"))});`,
    `const { upCommand } = await import(${JSON.stringify(join(root, "scripts/up/arguments.ts"))});`,
    `console.log(JSON.stringify(readOptions(upCommand, process.argv.slice(2))));`,
  ].join("\n");
  writeFileSync(join(project, "probe.mjs"), probe);
  const up = `hash -r && exec '${process.execPath}' probe.mjs`;
  // Programs of others: all that is ours of them here is the start of the set-up.
  const others = Object.fromEntries(Object.entries(scripts).filter(([, script]) => !isOurs(script)));
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module", scripts: { ...others, up } }));
  copyFileSync(join(root, ".npmrc"), join(project, ".npmrc"));
  mkdirSync(join(project, "scripts"));
  copyFileSync(join(root, "scripts/setup.mjs"), join(project, "scripts/setup.mjs"));
  cpSync(join(root, "scripts/setup"), join(project, "scripts/setup"), { recursive: true });
});
afterAll(() => rmSync(project, { recursive: true }));

type Options = { cwd?: string; env: NodeJS.ProcessEnv };

function run(program: string, words: readonly string[], options: Options) {
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(program, words, options, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
  });
}

/** `npm run` with the npm that is installed here, and what an environment may say to it. */
function npmRun(words: readonly string[], settings: Record<string, string> = {}) {
  const own = Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith("npm_"));
  const env = { ...Object.fromEntries(own), HOME: project, ...settings };
  return run("npm", ["run", "--silent", ...words], { cwd: project, env });
}

test.each([
  [["--dry-run"], "--dry-run"],
  [["--dry"], "--dry-run"],
  [["--dryrun"], "--dry-run"],
  [["--yes"], "--yes"],
  [["--no-build"], "--no-build"],
  [["--stack=production"], "--stack NAME"],
  [["--adopt", "a-bucket", "--region", "auto"], "--adopt BUCKET --region NAME"],
  [["--approve-replacement"], "--approve-replacement"],
  [["-y"], "--yes"],
  [["-n"], "--no-yes"],
  [["-f"], "--force"],
  [["-u"], "-u"],
])("through a real npm, %j without the two hyphens is refused", async (words, named) => {
  const { code, stdout, stderr } = await npmRun(["up", ...words]);
  expect(stderr).toContain(`npm kept ${named} for itself`);
  expect([code, stdout.trim()]).toEqual([64, "null"]);
});

test("through a real npm, what stood behind the two hyphens is advised with its values", async () => {
  const { code, stderr } = await npmRun(["up", "--yes", "--", "--location", "hel1"]);
  expect(stderr).toContain("npm run up -- --location hel1 --yes (");
  expect(code).toBe(64);
});

test.each([
  [["--dry-rum"], "up has no flag --dry-rum; did you mean --dry-run? ", "--dry-run"],
  [["--no-biuld", "--yes"], "up has no flag --no-biuld; did you mean --no-build? ", "--yes --no-build"],
  [["--stakc=production"], "up has no flag --stakc; did you mean --stack? ", "--stack production"],
  // Without what it does not know, the command could do more than was meant.
  [["--yes", "--delete-data"], "up has no flag --delete-data. ", "--help"],
])(
  "through a real npm, what is nearly a flag is named, and another verb's is none: %j",
  async (words, named, advised) => {
    const { code, stderr } = await npmRun(["up", ...words]);
    expect(stderr).toContain(`${named}Flags stand behind two hyphens: npm run up -- ${advised} (if`);
    expect(code).toBe(64);
  },
);

test.each([
  ["format", "--check"],
  ["test", "-u"],
  ["check", "--dry-run"],
  ["setup", "--force"],
])("through a real npm, %s does not run without its %s", async (script, flag) => {
  const { code, stdout, stderr } = await npmRun([script, flag]);
  expect(stderr).toContain(`npm kept ${flag} for itself, and nothing was done`);
  expect(stderr).toContain(`npm run ${script} -- ${flag} (if`);
  expect([code, stdout]).toEqual([64, ""]);
});

test("every script is a program of ours that reads its words with readOptions, or starts with the set-up, which looks at npm's flags", () => {
  for (const [name, script] of Object.entries(scripts)) {
    expect(script, name).toMatch(/^node scripts\/setup\.mjs( &&|$)/);
    const [, program] = /exec node (\S+)( [a-z]+)?$/.exec(script) ?? [];
    if (program === undefined) expect(isOurs(script), name).toBe(false);
    else expect(readFileSync(join(root, program), "utf8"), name).toMatch(/\b(runVerb|runDrill|readOptions)\(/);
  }
});

test("through a real npm, flags behind two hyphens are read, and an .npmrc is nobody's flag, whether npm knows it or not", async () => {
  const ours = join(project, ".npmrc");
  const settings = [
    "yes=true",
    "location=project",
    "json=true",
    "force=true",
    "registry=http://127.0.0.1:9/",
    "dry-rum=true",
  ];
  writeFileSync(ours, settings.join("\n"));
  const { code, stdout, stderr } = await npmRun(["up", "--", "--dry-run"]);
  copyFileSync(join(root, ".npmrc"), ours);
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toMatchObject({ dryRun: true, yes: false, build: true });
  expect(code).toBe(0);
});

test.runIf(process.platform === "linux")(
  "through a real npm, what the environment says to it is nobody's flag, and what is typed beside it is",
  async () => {
    const settings = { npm_config_build_from_source: "true", npm_config_yes: "true", NPM_CONFIG_FORCE: "true" };
    const { code, stderr, stdout } = await npmRun(["up", "--", "--dry-run"], settings);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({ dryRun: true, yes: false });
    expect(code).toBe(0);
    const typed = await npmRun(["up", "--dry-run"], settings);
    expect(typed.stderr).toContain("npm kept --dry-run for itself");
    expect(typed.code).toBe(64);
  },
);

test("npm is not asked for what it sets with our own .npmrc", async () => {
  const asked = join(project, "asked");
  // The npm that the script would ask.
  const npm = join(project, "npm.mjs");
  writeFileSync(npm, `import { writeFileSync } from "node:fs"; writeFileSync(${JSON.stringify(asked)}, "");`);
  const manifest = join(project, "package.json");
  const before = readFileSync(manifest, "utf8");
  const probe = `npm_execpath='${npm}' exec '${process.execPath}' probe.mjs`;
  writeFileSync(manifest, JSON.stringify({ type: "module", scripts: { up: probe } }));
  const quiet = await npmRun(["up"]);
  const wasAsked = existsSync(asked);
  const typed = await npmRun(["up", "--dry-rum"]);
  writeFileSync(manifest, before);
  expect([quiet.code, wasAsked]).toEqual([0, false]);
  expect([typed.code, existsSync(asked)]).toEqual([64, true]);
});

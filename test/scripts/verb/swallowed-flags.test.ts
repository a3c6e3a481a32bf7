import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { upCommand } from "../../../scripts/up/arguments.ts";
import { UsageError } from "../../../scripts/verb/run-verb.ts";
import { refuseSwallowedFlags } from "../../../scripts/verb/swallowed-flags.ts";
import { commands } from "./commands.ts";

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

test("what npm sets by itself, and what says no, is no flag", () => {
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

let project: string;
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "lifeboat npm "));
  const scripts = join(import.meta.dirname, "../../../scripts");
  const probe = [
    `const { readOptions } = await import(${JSON.stringify(join(scripts, "verb/run-verb.ts"))});`,
    `const { upCommand } = await import(${JSON.stringify(join(scripts, "up/arguments.ts"))});`,
    `console.log(JSON.stringify(readOptions(upCommand, process.argv.slice(2))));`,
  ].join("\n");
  writeFileSync(join(project, "probe.mjs"), probe);
  const up = `hash -r && exec '${process.execPath}' probe.mjs`;
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module", scripts: { up } }));
});
afterAll(() => rmSync(project, { recursive: true }));

/** `npm run up` with the npm that is installed here. */
function npmRunUp(...words: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const own = Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith("npm_"));
  const env = { ...Object.fromEntries(own), HOME: project };
  return new Promise((resolve) => {
    execFile("npm", ["run", "--silent", "up", ...words], { cwd: project, env }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
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
])("through a real npm, %j without the two hyphens is refused", async (words, named) => {
  const { code, stdout, stderr } = await npmRunUp(...words);
  expect(stderr).toContain(`npm kept ${named} for itself`);
  expect([code, stdout.trim()]).toEqual([64, "null"]);
});

test("through a real npm, what stood behind the two hyphens is advised with its values", async () => {
  const { code, stderr } = await npmRunUp("--yes", "--", "--location", "hel1");
  expect(stderr).toContain("npm run up -- --location hel1 --yes (");
  expect(code).toBe(64);
});

test("through a real npm, flags behind two hyphens are read, and an .npmrc is nobody's flag", async () => {
  writeFileSync(join(project, ".npmrc"), "yes=true\nlocation=project\n");
  const { code, stdout, stderr } = await npmRunUp("--", "--dry-run");
  rmSync(join(project, ".npmrc"));
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toMatchObject({ dryRun: true, yes: false, build: true });
  expect(code).toBe(0);
});

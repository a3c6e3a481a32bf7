import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

import { expect, test } from "vitest";
import { parse } from "yaml";

import { exitCodes } from "../../app/exit-codes.ts";
import { kitPaths, openKitPaths } from "../../app/http/kit-paths.ts";
import { commands } from "../scripts/cli/commands.ts";
import { listPages, readCode, readRows, readSection, readText, root } from "./documents.ts";

const configuration = readText("docs/reference/configuration.md");
const verbs = readText("docs/reference/verbs.md");
const codes = readText("docs/reference/exit-codes.md");
const http = readText("docs/reference/http.md");

const firstColumn = (text: string) => readRows(text).flatMap(([first]) => readCode(first));

test("the reference has every setting of a stack with its default and its words", () => {
  const { config, template } = parse(readText("Pulumi.yaml"));
  const rows = Object.entries<{ default: unknown; description: string }>(config).map(
    ([key, { default: value, description }]) => `| \`${key}\` | ${renderDefault(value)} | ${description} |`,
  );
  const section = readSection(configuration, "Settings of a stack");
  expect(section.split("\n").filter((line) => line.startsWith("| `"))).toEqual(rows);
  const sources = ["infra/config/config.ts", "infra/config/store-config.ts"].map(readText).join("\n");
  const read = [...sources.matchAll(/\bread\s*\.\w+\(\s*"(\w+)"/g)].map(([, key = ""]) => key);
  const secrets = readSection(configuration, "Secrets, and settings of the providers");
  const keys = new Set([section, secrets].flatMap(firstColumn));
  expect(read.length).toBeGreaterThan(20);
  expect(read.filter((key) => !keys.has(key))).toEqual([]);
  expect(Object.keys(template.config).filter((key) => !keys.has(key))).toEqual([]);
});

function renderDefault(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(", ");
  return value === "" ? "" : `\`${String(value)}\``;
}

test("the reference has every variable of the processes", () => {
  const read = new Set(
    [...readText("app/config.ts").matchAll(/"((?:LIFEBOAT|LITESTREAM)_\w+)"/g)].map(([, name]) => name),
  );
  expect(new Set(firstColumn(readSection(configuration, "Environment of the processes")))).toEqual(read);
});

test("the reference has every variable of the edge", () => {
  const read = new Set([...readText("app/edge/settings.ts").matchAll(/"(LIFEBOAT_\w+)"/g)].map(([, name]) => name));
  expect(read.size).toBeGreaterThan(15);
  expect(new Set(firstColumn(readSection(configuration, "Environment of the edge")))).toEqual(read);
});

test("the reference has every script, and every flag in the words of --help", () => {
  const { scripts } = JSON.parse(readText("package.json"));
  const [table = ""] = verbs.split(/^## /m);
  expect(firstColumn(table).toSorted()).toEqual(Object.keys(scripts).toSorted());
  for (const { name, about, flags } of commands) {
    const section = readSection(verbs, name);
    const [purpose = ""] = about.split("\n");
    expect(section).toContain(purpose);
    const rows = Object.entries(flags).map(([flag, spec]) => {
      const value = spec.type === "string" ? ` ${spec.value}` : "";
      return `| \`--${flag}${value}\` | ${spec.about.replaceAll(tmpdir(), "/tmp")} |`;
    });
    expect(section.split("\n").filter((line) => line.startsWith("| `"))).toEqual(rows);
  }
});

test("the reference has every exit code", () => {
  const rows = readRows(readSection(codes, "Of the processes on a machine"));
  const named = rows.flatMap(([code, name]) => readCode(name).map((key) => [key, Number(code)] as const));
  expect(Object.fromEntries(named)).toEqual(exitCodes);
  const ofVerbs = readRows(readSection(codes, "Of the verbs")).map(([code]) => code);
  const known = commands.flatMap((command) => Object.entries<string>(command.exitCodes));
  // A line may name a second one: "interrupted; 143: terminated".
  const seconds = known.flatMap(([, words]) => words.match(/\b\d{3}(?=: )/g) ?? []);
  const told = [...known.map(([code]) => code), ...seconds];
  expect(new Set(told.filter((code) => code !== "other"))).toEqual(new Set(ofVerbs));
});

test("the reference has every path of the kit, and says which is open", () => {
  const rows = readRows(readSection(http, "Paths of the kit"));
  const paths = rows.map(([path, token]) => [readCode(path)[0]?.replace(/^(GET|POST) /, ""), token]);
  expect(paths).toEqual(kitPaths.map((path) => [path, openKitPaths.includes(path) ? "no" : "yes"]));
  const [, statuses = ""] = /^type Status = (.*);$/m.exec(readText("app/http/health-routes.ts")) ?? [];
  const told = readRows(readSection(http, "Health")).flatMap(([first]) => readCode(first));
  expect(told.filter((name) => statuses.includes(`"${name}"`)).toSorted()).toEqual(
    statuses
      .split(" | ")
      .map((status) => status.slice(1, -1))
      .toSorted(),
  );
  const [, answer = ""] = /\.send\(\{\n(.*?)\n {4}\}\)/s.exec(readText("app/http/health-routes.ts")) ?? [];
  const fields = [...answer.matchAll(/^ {6}(\w+): /gm)].map(([, field = ""]) => field);
  expect(fields.length).toBeGreaterThan(5);
  expect(fields.filter((field) => !told.includes(field))).toEqual([]);
});

test("the reference has every problem with its status, and no other", () => {
  const rows = readRows(readSection(http, "Problems")).map(([code, status]) => [readCode(code)[0], Number(status)]);
  const told = new Map(rows.map(([code, status]) => [code, status]));
  expect(told.size).toBe(rows.length);
  const made = readProblems();
  expect(made.length).toBeGreaterThan(20);
  expect(made.filter(([code, status]) => told.get(code) !== status)).toEqual([]);
  const known = new Set(made.map(([code]) => code));
  expect(rows.filter(([code]) => typeof code !== "string" || !known.has(code))).toEqual([]);
});

/** Every problem that the kit's sources make, with its status. */
function readProblems(): [code: string, status: number][] {
  const sources = ["app/http", "app/database"].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => readText(`${folder}/${name}`)),
  );
  const text = sources.join("\n");
  const [, framework = ""] = /const frameworkRefusals.*?= \{\n(.*?)\n\};/s.exec(text) ?? [];
  const [, refusals = ""] = /const retryAfterSeconds.*?= \{\n(.*?)\n\};/s.exec(text) ?? [];
  const [, ends = ""] = /export type ReportEnd =(.*?);/s.exec(text) ?? [];
  return [
    ...[...ends.matchAll(/"([a-z-]+)"/g)].map(([, reason]) => [reason, 503]),
    ...[...text.matchAll(/new Problem\(\s*(\d+),\s*"([a-z-]+)"/g)].map(([, status, code]) => [code, status]),
    ...[...text.matchAll(/new CommandRejected\(\s*"([a-z-]+)",\s*(\d+)/g)].map(([, code, status]) => [code, status]),
    ...[...framework.matchAll(/(FST_\w+): \["([a-z-]+)"/g)].map(([, name = "", code]) => [code, fastifyStatus[name]]),
    ...[
      ...readText("app/edge/render-caddyfile.ts").matchAll(/urn:lifeboat:problem:([a-z-]+)",[^}]*?status: (\d+)/g),
    ].map(([, code, status]) => [code, status]),
    ...[...refusals.matchAll(/^ {2}"?([a-z-]+)"?:/gm)].map(([, reason]) => [reason, 503]),
  ].map(([code, status]) => [String(code), Number(status)]);
}

/** The statuses that Fastify gives to its own errors. */
const fastifyStatus: Record<string, number> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 400,
  FST_ERR_CTP_EMPTY_JSON_BODY: 400,
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 400,
  FST_ERR_CTP_BODY_TOO_LARGE: 413,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 415,
  FST_ERR_BAD_URL: 400,
  FST_ERR_MAX_PARAM_LENGTH: 414,
};

test("the reference has every header that the server reads or sends", () => {
  const text = readdirSync(join(root, "app/http"))
    .map((name) => readText(`app/http/${name}`))
    .join("\n");
  const used = [
    ...text.matchAll(/\.header\(\s*"([a-z-]+)"/g),
    ...text.matchAll(/headers(?:\["([a-z-]+)"\]|\.(authorization))/g),
    ...text.matchAll(/headers: \{ "([a-z-]+)"/g),
  ].map(([, name, other]) => name ?? other ?? "");
  const told = ["Request headers", "Answer headers"].flatMap((heading) => firstColumn(readSection(http, heading)));
  expect(used.length).toBeGreaterThan(8);
  expect([...new Set(used)].filter((name) => !told.some((header) => header.toLowerCase() === name))).toEqual([]);
});

test("every link of the README and of the docs leads to something", () => {
  const links = listPages().flatMap((page) =>
    [...readText(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => ({ page, target })),
  );
  expect(links.length).toBeGreaterThan(50);
  expect(links.filter(({ page, target }) => isBroken(page, target))).toEqual([]);
});

function isBroken(page: string, target: string): boolean {
  if (/^https?:/.test(target)) return false;
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? page : relative(root, resolve(root, dirname(page), path));
  if (!existsSync(join(root, file))) return true;
  return anchor !== undefined && !listAnchors(readText(file)).includes(anchor);
}

/** The anchors that GitHub makes of headings. */
function listAnchors(text: string): string[] {
  const headings = text.replaceAll(/^```.*?^```/gms, "").matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

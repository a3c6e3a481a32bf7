import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";

import { afterAll, expect, test } from "vitest";

import { Transcript } from "../../app/cli/transcript.ts";
import { runCommand } from "../../scripts/build/run-command.ts";
import { readArguments } from "../../scripts/drill/arguments.ts";
import { Machine } from "../../scripts/drill/machine.ts";
import { openStage } from "../../scripts/drill/stage.ts";
import { Leftovers } from "../../scripts/local/leftovers.ts";
import { cacheRoot } from "../../scripts/setup/cache-root.mjs";

const version = "4.32.5";
const seconds = 40;
const directory = mkdtempSync(join(tmpdir(), "lifeboat-openapi-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A virtual environment of Python with schemathesis in it, made once on a computer. */
async function findSchemathesis(): Promise<string> {
  const home = join(cacheRoot(process.env), "test", `schemathesis-${version}`);
  const program = join(home, "bin/python");
  const works = await runCommand(program, ["-c", "import schemathesis"], { timeoutMs: 30_000 }).catch(() => null);
  if (works !== null) return program;
  rmSync(home, { recursive: true, force: true });
  await mkdir(dirname(home), { recursive: true });
  const making = mkdtempSync(`${home}-`);
  await runCommand("python3", ["-m", "venv", making], { timeoutMs: 60_000 });
  const quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--only-binary=:all:"];
  const words = ["-m", "pip", "install", ...quiet, `schemathesis==${version}`];
  await runCommand(join(making, "bin/python"), words, { timeoutMs: 300_000 });
  await rename(making, home);
  return program;
}

// Its search for URLs in answers ends with an exception at a text such as "http://[", which it makes up itself now and then.
const config = `[phases.stateful.inference]
algorithms = ["dependency-analysis"]
`;

// What the kit promises of every answer. It is checked against the bundle that a release holds.
const checks = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_schema_conformance",
  "response_headers_conformance",
  "ignored_auth",
];

test("schemathesis, led by the document, finds no answer that breaks a promise, and no 500", async () => {
  const schemathesis = await findSchemathesis();
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const transcript = new Transcript({ output, colour: false });
  const options = readArguments(["--seed", "7"], {});
  await using stage = await openStage({ options, transcript, leftovers: new Leftovers() });
  await using machine = await Machine.switchOn("openapi", stage.site);
  await machine.waitUntilReady(60_000);
  const { port, token } = machine.target;
  const url = `http://127.0.0.1:${port}`;
  const ask = async (authorization: string) => await fetch(`${url}/openapi.json`, { headers: { authorization } });
  expect((await ask("")).status).toBe(401);
  await expectMetrics(url, token);
  const document = leaveOutStreams(JSON.parse(await (await ask(`Bearer ${token}`)).text()));
  const operations = Object.values(document.paths).flatMap((item) => Object.keys(item)).length;
  const file = join(directory, "openapi.json");
  writeFileSync(file, JSON.stringify(document));
  writeFileSync(join(directory, "schemathesis.toml"), config);
  const words = [
    "-m",
    "schemathesis.cli",
    "run",
    file,
    "--url",
    url,
    "--header",
    `Authorization: Bearer ${token}`,
    "--checks",
    checks.join(","),
    "--max-time",
    String(seconds),
    "--seed",
    "7",
    "--request-timeout",
    "20",
  ];
  // Not the exit code: it is 1 also where schemathesis cannot make up a value for a pattern with \p{…}.
  const said = await run(schemathesis, words);
  const [, generated = "0", passed = ""] = /(\d+) generated, (\d+) passed/.exec(said) ?? [];
  expect(said).not.toContain("failed");
  expect(Number(generated), said).toBeGreaterThan(100);
  expect(passed, said).toBe(generated);
  expect(operations).toBeGreaterThan(1);
  expect(said).toMatch(new RegExp(`Tested:\\s+${operations}\\b`));
});

/** Its library lies beside the bundle, too. */
async function expectMetrics(url: string, token: string): Promise<void> {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  expect(await answer.text()).toContain("\nlifeboat_ready 1\n");
}

/** Schemathesis would wait for the end of a stream, which has none. */
function leaveOutStreams(document: { paths: Record<string, Record<string, unknown>> }) {
  for (const [path, item] of Object.entries(document.paths)) {
    const kept = Object.entries(item).filter(
      ([, operation]) => !JSON.stringify(operation).includes("text/event-stream"),
    );
    document.paths[path] = Object.fromEntries(kept);
  }
  return document;
}

/** Its findings are on stdout. */
async function run(program: string, words: readonly string[]): Promise<string> {
  const env = { ...process.env, NO_COLOR: "1", COLUMNS: "120" };
  const child = spawn(program, words, { cwd: directory, env, stdio: ["ignore", "pipe", "inherit"], timeout: 240_000 });
  const ended = once(child, "close");
  const said = await text(child.stdout);
  await ended;
  return said;
}

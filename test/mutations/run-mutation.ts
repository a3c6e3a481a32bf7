import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { Type } from "typebox";

import { within } from "../../app/cli/wait-for.ts";
import { parseJson } from "../../app/replica/parse-json.ts";
import type { Mutation } from "./mutations.ts";

export type TestRun = Readonly<{ passed: number; failed: number; output: string }>;

const root = dirname(dirname(import.meta.dirname));
const limitMs = 150_000;
const Summary = Type.Object({ numPassedTests: Type.Integer(), numFailedTests: Type.Integer() });

/** A copy of our sources in which something may be wrong, with the same node_modules. */
export class MutatedTree implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "lb-mutated-"));

  constructor() {
    for (const name of ["app", "scripts", "test", "package.json", "tsconfig.json"]) {
      cpSync(join(root, name), join(this.#directory, name), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(this.#directory, "node_modules"));
  }

  /**
   * Puts the error in. Throws when a text is not there exactly once: the mutation would be another one than it says.
   */
  mutate({ file, edits }: Mutation): void {
    const path = join(this.#directory, file);
    const mutated = edits.reduce(
      (source, [text, replacement]) => {
        const found = source.split(text).length - 1;
        if (found !== 1)
          throw new Error(`${file} holds ${JSON.stringify(text)} ${found} times, must be once: adapt the mutation`);
        return source.replace(text, () => replacement);
      },
      readFileSync(path, "utf8"),
    );
    writeFileSync(path, mutated);
  }

  /** Runs the test file that watches over the mutation. Throws when no test ran at all. */
  async runTests({ test, claim }: Pick<Mutation, "test" | "claim">): Promise<TestRun> {
    const summaryFile = join(this.#directory, "summary.json");
    const vitest = join(root, "node_modules/vitest/vitest.mjs");
    const words = [
      vitest,
      "run",
      "--config",
      "test/vitest.config.ts",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${summaryFile}`,
    ];
    if (claim !== undefined) words.push("--testNamePattern", claim);
    const output = await this.#run([...words, test]);
    const summary = parseJson(Summary, readSummary(summaryFile, output), "vitest's summary");
    if (summary.numPassedTests + summary.numFailedTests === 0) throw new Error(`no test ran:\n${output}`);
    return { passed: summary.numPassedTests, failed: summary.numFailedTests, output };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #run(words: readonly string[]): Promise<string> {
    const { VITEST: _v, VITEST_MODE: _m, VITEST_POOL_ID: _p, VITEST_WORKER_ID: _w, ...env } = process.env;
    const child = spawn(process.execPath, words, { cwd: this.#directory, env: { ...env, NO_COLOR: "1" } });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    const ended = Promise.withResolvers<void>();
    child.once("close", () => ended.resolve());
    try {
      await within(`vitest in ${this.#directory}`, limitMs, ended.promise);
    } finally {
      child.kill("SIGKILL");
    }
    return output;
  }
}

function readSummary(path: string, output: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Error(`vitest left no summary:\n${output}`, { cause });
  }
}

import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { promisify } from "node:util";

import { Type } from "typebox";

import { parseJson } from "../../app/replica/parse-json.ts";

/** What Litestream itself says about a set of LTX files. */
export type Verdict = { restorable: true; newestTxid: string; files: number } | { restorable: false; words: string };

const PlanSchema = Type.Object({ max_txid: Type.String(), files: Type.Array(Type.Object({ level: Type.Number() })) });

const limitMs = 20_000;

/**
 * A replica as plain files, where Litestream keeps `ltx/<level>/<first>-<last>.ltx`. The content matters only to a real
 * restore.
 */
export class FileReplica {
  readonly #home: string;
  readonly #litestream: string;

  constructor(home: string, litestream: string) {
    this.#home = home;
    this.#litestream = litestream;
    mkdirSync(this.#root, { recursive: true });
    writeFileSync(this.configPath, JSON.stringify(this.#config()));
  }

  get #root(): string {
    return join(this.#home, "replica");
  }

  get configPath(): string {
    return join(this.#home, "litestream.yml");
  }

  get databasePath(): string {
    return join(this.#home, "app.db");
  }

  get socketPath(): string {
    return join(this.#home, "litestream.sock");
  }

  /** The files as a bucket would list them. */
  keys(): string[] {
    const files = readdirSync(this.#root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return files.map((file) => {
      const [, level = "", name = ""] = relative(this.#root, join(file.parentPath, file.name)).split("/");
      return `epochs/0001-00000000/${toLevel(level)}/${name}`;
    });
  }

  /** Puts files without content: enough for a plan. */
  write(keys: readonly string[]): void {
    for (const key of keys) {
      const path = this.#pathOf(key);
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, "no content");
    }
  }

  remove(keys: readonly string[]): void {
    for (const key of keys) rmSync(this.#pathOf(key));
  }

  copyTo(home: string): FileReplica {
    const copy = new FileReplica(home, this.#litestream);
    cpSync(this.#root, copy.#root, { recursive: true });
    return copy;
  }

  /** Lets Litestream plan a restore. */
  async plan(): Promise<Verdict> {
    const result = await this.#restore("-dry-run");
    if (!("answer" in result)) return result;
    const plan = parseJson(PlanSchema, result.answer, "the plan of litestream restore");
    return { restorable: true, newestTxid: plan.max_txid, files: plan.files.length };
  }

  /** Lets Litestream restore to a path; null or its last words. */
  async restoreTo(path: string): Promise<string | null> {
    const result = await this.#restore("-o", path);
    return "answer" in result ? null : result.words;
  }

  async #restore(...flags: string[]): Promise<{ answer: string } | { restorable: false; words: string }> {
    const words = [
      "restore",
      "-config",
      this.configPath,
      "-json",
      "-o",
      join(this.#home, "planned.db"),
      ...flags,
      this.databasePath,
    ];
    try {
      return { answer: (await promisify(execFile)(this.#litestream, words, { timeout: limitMs })).stdout };
    } catch (error) {
      if (!(error instanceof Error && "stderr" in error)) throw error;
      return { restorable: false, words: String(error.stderr).trim() };
    }
  }

  #pathOf(key: string): string {
    const [level = "", name = ""] = key.split("/").slice(-2);
    return join(this.#root, "ltx", /^[0-9a-f]{4}$/.test(level) ? String(Number.parseInt(level, 16)) : level, name);
  }

  #config(): object {
    return {
      // Often, so that a short life has seen compactions.
      levels: [{ interval: "1s" }, { interval: "2s" }],
      logging: { stderr: true },
      socket: { enabled: true, path: this.socketPath },
      dbs: [{ path: this.databasePath, "monitor-interval": "1h", replica: { type: "file", path: this.#root } }],
    };
  }
}

function toLevel(folder: string): string {
  return /^[0-9]+$/.test(folder) ? Number(folder).toString(16).padStart(4, "0") : folder;
}

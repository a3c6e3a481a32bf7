import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";

import type { FastifyBaseLogger } from "fastify";

import { parseTokensFile, type Token, authenticateWith, type Authenticate } from "./tokens.ts";

/** Reads the file of tokens. Throws Error with the path and the fault, never with the content of the file. */
export function readTokensFile(path: string): Token[] {
  return parseAs(path, readFileSync(path, "utf8"));
}

/**
 * Tokens from a file that is read again when it changes and on SIGHUP, so that no restart is needed. `report` tells
 * whoever changed the file the result: the SHA-256 of what was read, and `taken` or the fault.
 */
export class LiveTokens {
  readonly #path: string;
  readonly #log: FastifyBaseLogger;
  readonly #report: string | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #reread = (): void => {
    this.#text = undefined;
    this.#complaint = undefined;
    this.#reported = undefined;
    this.#look();
  };
  #text: string | undefined;
  #complaint: string | undefined;
  #reported: string | undefined;
  #tokens: readonly Token[];
  #authenticate: Authenticate;

  /** Throws when the file cannot be read or is damaged, because there are no earlier tokens to keep. */
  constructor(path: string, log: FastifyBaseLogger, report?: string) {
    this.#path = path;
    this.#log = log;
    this.#report = report;
    this.#text = readFileSync(path, "utf8");
    this.#tokens = parseAs(path, this.#text);
    this.#authenticate = authenticateWith(this.#tokens);
    this.#tell("taken");
    // Compares content, not the modification time: no clock or file watch can hide a change.
    this.#timer = setInterval(() => this.#look(), lookIntervalMs).unref();
    process.on("SIGHUP", this.#reread);
  }

  readonly authenticate: Authenticate = (header) => this.#authenticate(header);

  /** The tokens that are valid now. */
  get tokens(): readonly Token[] {
    return this.#tokens;
  }

  close(): void {
    clearInterval(this.#timer);
    process.off("SIGHUP", this.#reread);
  }

  #look(): void {
    try {
      const text = this.#read();
      if (text === this.#text) return;
      this.#text = text;
      this.#take(parseAs(this.#path, text));
    } catch (err) {
      this.#complain(err);
    }
  }

  #read(): string {
    try {
      return readFileSync(this.#path, "utf8");
    } catch (error) {
      // A file that comes back counts as changed, even with the same content.
      this.#text = undefined;
      throw error;
    }
  }

  #take(tokens: readonly Token[]): void {
    this.#tokens = tokens;
    this.#authenticate = authenticateWith(tokens);
    this.#complaint = undefined;
    const principals = [...new Set(tokens.map(({ principal }) => principal))];
    this.#log.info({ path: this.#path, principals }, "API tokens read again");
    this.#tell("taken");
  }

  // A damaged file must not lock everybody out: the earlier tokens stay valid. Logged once, not at every check.
  #complain(err: unknown): void {
    const complaint = err instanceof Error ? err.message : String(err);
    if (complaint !== this.#complaint)
      this.#log.error({ err }, "the file of API tokens cannot be used; the tokens of before stay valid");
    this.#complaint = complaint;
    this.#tell(complaint);
  }

  #tell(outcome: string): void {
    if (this.#report === undefined) return;
    const sha256 = this.#text === undefined ? "unread" : createHash("sha256").update(this.#text).digest("hex");
    const text = `${sha256} ${outcome}\n`;
    if (text === this.#reported) return;
    this.#reported = text;
    try {
      writeFileSync(`${this.#report}.next`, text);
      renameSync(`${this.#report}.next`, this.#report);
    } catch (err) {
      this.#log.error({ err }, "what became of the API tokens cannot be reported");
    }
  }
}

const lookIntervalMs = 1000;

function parseAs(path: string, text: string): Token[] {
  try {
    return parseTokensFile(text);
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

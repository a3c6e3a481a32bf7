import { readFileSync } from "node:fs";

/** The environment does not describe what runs here. The message lists every fault. */
export class ConfigFault extends Error {
  override readonly name = "ConfigFault";
}

/** Reads variables one by one and gathers every fault, so that they are told together. No message contains a secret value. */
export class EnvironmentReading {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #faults: string[] = [];

  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment;
  }

  optional(name: string): string | undefined {
    const value = this.#environment[name]?.trim();
    return value === "" ? undefined : value;
  }

  required(name: string): string {
    const value = this.optional(name);
    if (value === undefined) this.#faults.push(`${name} is missing`);
    return value ?? "";
  }

  // A store whose URL is invalid would look like one that is down, and boot would wait for it forever.
  httpUrl(name: string): string | undefined {
    const value = this.optional(name);
    if (value === undefined) return undefined;
    const url = URL.parse(value);
    // The value may contain or be a password, so it is not repeated.
    if (url === null || !/^https?:$/.test(url.protocol))
      this.#faults.push(`${name} must start with https:// or http://`);
    else if (url.username !== "" || url.password !== "")
      this.#faults.push(`${name} must hold no user name or password`);
    return value;
  }

  region(name: string): string {
    const value = this.required(name);
    if (value !== "" && !/^[a-z0-9-]+$/i.test(value))
      this.#faults.push(`${name} must hold letters, digits and hyphens (got ${value})`);
    return value;
  }

  /** An id that the system keeps. In an image that was never started it is empty, and all copies would share it. */
  file(path: string, instead: string): string {
    try {
      const value = readFileSync(path, "utf8").trim();
      if (value !== "" && value !== "uninitialized") return value;
      this.#faults.push(`${instead} is missing and ${path} holds no id`);
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      this.#faults.push(`${instead} is missing and ${path} cannot be read (${cause})`);
    }
    return "";
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.optional(name) ?? String(fallback);
    if (value !== "true" && value !== "false") this.#faults.push(`${name} must be true or false (got ${value})`);
    return value === "true";
  }

  integer(name: string, limits: { fallback: number; least: number; most: number }): number {
    const text = this.optional(name) ?? String(limits.fallback);
    const value = Number(text);
    if (Number.isInteger(value) && value >= limits.least && value <= limits.most) return value;
    this.#faults.push(`${name} must be a whole number from ${limits.least} to ${limits.most} (got ${text})`);
    return limits.fallback;
  }

  choice(name: string, choices: readonly [string, ...string[]]): string {
    const value = this.optional(name) ?? choices[0];
    if (!choices.includes(value)) this.#faults.push(`${name} must be one of ${choices.join(", ")} (got ${value})`);
    return value;
  }

  /** Notes what a check throws as a fault of this variable. */
  note(name: string, check: () => unknown): void {
    try {
      check();
    } catch (error) {
      this.#faults.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  fault(text: string): void {
    this.#faults.push(text);
  }

  throwFaults(): void {
    if (this.#faults.length > 0) throw new ConfigFault(`config: ${this.#faults.join("; ")}`);
  }
}

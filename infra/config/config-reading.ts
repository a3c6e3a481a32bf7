import * as pulumi from "@pulumi/pulumi";

/** What is wrong with a secret value, in words that do not repeat it. Null when nothing is. */
type FindFault = (value: string) => string | null;

/** Reads single settings and collects their faults, to report them together. An empty string counts as not set. */
export class ConfigReading {
  readonly #config: pulumi.Config;
  readonly #faults: string[] = [];
  readonly #taken: Record<string, string> = {};

  constructor(config: pulumi.Config) {
    this.#config = config;
  }

  fault(text: string): void {
    this.#faults.push(text);
  }

  optional(name: string): string | undefined {
    const value = this.#get(name);
    if (value !== undefined) this.#take(name, value);
    return value;
  }

  required(name: string, why: string): string {
    const value = this.optional(name);
    if (value === undefined) this.fault(`${name} is missing: ${why}`);
    return value ?? "";
  }

  /** One of the choices. The first is the default. */
  choice<Choice extends string>(name: string, choices: readonly [Choice, ...Choice[]]): Choice {
    const value = this.#take(name, this.#get(name) ?? choices[0]);
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.fault(`${name} must be one of ${choices.join(", ")} (got ${value})`);
    return found ?? choices[0];
  }

  text(name: string, fallback: string): string {
    return this.#take(name, this.#get(name) ?? fallback);
  }

  pattern(name: string, pattern: RegExp, fallback: string): string {
    const value = this.#take(name, this.#get(name) ?? fallback);
    if (!pattern.test(value)) this.fault(`${name} must look like ${fallback} (got ${value})`);
    return value;
  }

  integer(name: string, limits: { fallback: number; least: number; most: number }): number {
    const text = this.#take(name, this.#get(name) ?? String(limits.fallback));
    const value = Number(text);
    if (Number.isInteger(value) && value >= limits.least && value <= limits.most) return value;
    this.fault(`${name} must be a whole number from ${limits.least} to ${limits.most} (got ${text})`);
    return limits.fallback;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#take(name, this.#get(name) ?? String(fallback));
    if (value !== "true" && value !== "false") this.fault(`${name} must be true or false (got ${value})`);
    return value === "true";
  }

  list(name: string): string[] {
    const text = this.#get(name) ?? "[]";
    const items = parseList(text);
    if (items === undefined)
      this.fault(`${name} must be a list: pulumi config set --path "${name}[0]" VALUE (got ${text})`);
    for (const [index, item] of (items ?? []).entries()) this.#take(`${name}[${index}]`, item);
    return items ?? [];
  }

  /**
   * A value that is secret whether or not it was set with --secret. It is checked here, and never repeated in a fault.
   */
  secret(name: string, findFault: FindFault, next: string): pulumi.Output<string> {
    const value = this.optionalSecret(name, findFault);
    if (value === undefined) this.fault(`${name} is missing: ${next}`);
    return value ?? pulumi.secret("");
  }

  optionalSecret(name: string, findFault: FindFault): pulumi.Output<string> | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    const fault = findFault(value);
    if (fault !== null) this.fault(`${name} ${fault}`);
    return pulumi.secret(value);
  }

  /**
   * All settings that were read and are not secret, including defaults, by the path that `pulumi config set --path`
   * takes: `lifeboat:adminCidrs[0]`.
   */
  settings(): Record<string, string> {
    return { ...this.#taken };
  }

  /** Throws pulumi.RunError, which Pulumi prints without a stack. */
  throwFaults(): void {
    if (this.#faults.length > 0)
      throw new pulumi.RunError(
        `config:\n  ${this.#faults.join("\n  ")}\nset each right with pulumi config set KEY VALUE, then: npm run up`,
      );
  }

  #get(name: string): string | undefined {
    const value = this.#config.get(name)?.trim();
    return value === "" ? undefined : value;
  }

  #take(name: string, value: string): string {
    this.#taken[`${this.#config.name}:${name}`] = value;
    return value;
  }
}

function parseList(text: string): string[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isList = Array.isArray(value) && value.every((item) => typeof item === "string" && item.trim() !== "");
    return isList ? value.map(String) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

import * as pulumi from "@pulumi/pulumi";

import { runScript } from "./node-command.ts";

export type SettingsKeyArgs = {
  /** Another number makes another key. */
  generation: number;
};

/**
 * The key of the settings that go to the machine by the bucket (ADR 39), made once for each generation. A machine has
 * it from its birth, or by `up` over SSH.
 */
export class SettingsKey extends pulumi.ComponentResource {
  /** 64 hex digits. Secret. */
  readonly key: pulumi.Output<string>;

  constructor(name: string, { generation }: SettingsKeyArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:SettingsKey", name, {}, options);
    const made = runScript(
      name,
      {
        script: "scripts/steps/make-settings-key.ts",
        environment: {},
        remembers: true,
        // None for the first: stacks that are older than generations keep their key.
        ...(generation === 1 ? {} : { triggers: [generation] }),
      },
      { parent: this, additionalSecretOutputs: ["stdout"] },
    );
    this.key = pulumi.secret(made.stdout).apply((line) => line.trim());
    this.registerOutputs({ key: this.key });
  }
}

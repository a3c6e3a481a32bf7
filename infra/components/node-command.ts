import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

export type NodeCommandArgs = {
  /** A script of this repository, such as scripts/steps/make-sentinel.ts. */
  script: string;
  environment: Record<string, pulumi.Input<string>>;
  /** For secrets: the command of a failed step is printed, its stdin is not. */
  stdin?: pulumi.Input<string>;
  /** When one of them changes, the command runs again as a new one. */
  triggers?: pulumi.Input<unknown>[];
  /** Whether the script gets its previous output in PULUMI_COMMAND_STDOUT. */
  remembers?: true;
};

/**
 * Runs a script of ours on this computer once, and again whenever its inputs change. The scripts are idempotent. They
 * print one line, which is the output. Only that of make-settings-key.ts is a secret.
 */
export function runScript(
  name: string,
  args: NodeCommandArgs,
  options: pulumi.CustomResourceOptions,
): command.local.Command {
  return new command.local.Command(
    name,
    {
      // The engine starts providers in the program's folder. An absolute path would be a change in every other clone.
      create: `node ../${args.script}`,
      environment: args.environment,
      ...(args.stdin === undefined ? {} : { stdin: pulumi.secret(args.stdin) }),
      ...(args.triggers === undefined ? {} : { triggers: args.triggers }),
      addPreviousOutputInEnv: args.remembers ?? false,
      logging: command.local.Logging.Stderr,
    },
    options,
  );
}

/** The line that a command printed. The provider marks it as secret because stdin is; ours contains no secret. */
export function printedLine(script: command.local.Command): pulumi.Output<string> {
  return pulumi.unsecret(script.stdout).apply((text) => text.trim());
}

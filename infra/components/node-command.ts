import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

export type NodeCommandArgs = {
  /** A script of this repository, such as scripts/steps/make-sentinel.ts. */
  script: string;
  environment: Record<string, pulumi.Input<string>>;
  /** Secrets travel here: a failing command's text is printed, its stdin is not. */
  stdin?: pulumi.Input<string>;
  /** Their change makes the command run as a new one. */
  triggers?: pulumi.Input<unknown>[];
  /** The script finds in PULUMI_COMMAND_STDOUT what it printed the last time. */
  remembers?: true;
};

/**
 * A step that runs a script of ours on this computer, once, and again whenever what it is given changes. The scripts are idempotent.
 * They print one line that is no secret, which is the output.
 */
export function runScript(
  name: string,
  args: NodeCommandArgs,
  options: pulumi.CustomResourceOptions,
): command.local.Command {
  return new command.local.Command(
    name,
    {
      // The engine starts providers in the program's folder. A path of this computer would be a change in every other clone.
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

/** The line that a command printed. The provider marks it secret because stdin is; ours say nothing secret. */
export function printedLine(script: command.local.Command): pulumi.Output<string> {
  return pulumi.unsecret(script.stdout).apply((text) => text.trim());
}

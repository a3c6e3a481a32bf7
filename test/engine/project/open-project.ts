import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { type LocalWorkspaceOptions, PulumiCommand } from "@pulumi/pulumi/automation/index.js";

import { type Account, openAccount } from "../aws/account.ts";
import { serveAws } from "../aws/serve-aws.ts";
import { serveCommand } from "../command/serve-command.ts";
import { type ServedCloud, serveHcloud } from "../hcloud/serve-hcloud.ts";
import { type Machines, serveMachines } from "../machines/serve-machines.ts";
import type { ProviderCall, Workplace } from "../provider/resource.ts";
import { findEngine } from "../toolchain/find-engine.ts";

/** One account at Hetzner, one at "AWS", one empty state: what a user has before the first `pulumi up`. */
export type Project = AsyncDisposable &
  Readonly<{
    hetzner: ServedCloud;
    account: Account;
    machines: Machines;
    /** The changes that the stand-ins of aws and command made, in order. */
    calls: ProviderCall[];
    /** Where those stand-ins run: in the checkout that was made or used last. */
    workplace: Workplace;
    directory: string;
    stateDirectory: string;
    /** For every stack: which engine, where its state lies, what it finds in its environment. */
    workspace: LocalWorkspaceOptions;
  }>;

/** Starts the doubles and prepares a PULUMI_HOME and a state of its own. Disposing takes all of it away. */
export async function openProject(): Promise<Project> {
  await using made = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "lifeboat-engine-"));
  made.defer(() => rm(directory, { recursive: true, force: true }));
  const account = made.use(await openAccount(directory));
  const hetzner = made.use(await serveHcloud());
  const calls: ProviderCall[] = [];
  const workplace = { directory };
  const aws = made.use(await serveAws(account, calls, workplace));
  const machines = made.use(await serveMachines(hetzner.cloud, account));
  const command = made.use(await serveCommand(shellEnvironment(account, machines), calls, workplace));
  const engine = await findEngine(console.error);
  const [home, stateDirectory] = [join(directory, "home"), join(directory, "state")];
  await mkdir(home);
  await mkdir(stateDirectory);
  await symlink(engine.pluginsDirectory, join(home, "plugins"));
  const environment = {
    ...engineEnvironment(stateDirectory),
    PULUMI_HOME: home,
    PULUMI_DEBUG_PROVIDERS: `aws:${aws.port},command:${command.port}`,
  };
  const pulumiCommand = await PulumiCommand.get({ root: engine.root });
  const everything = made.move();
  return {
    hetzner,
    account,
    machines,
    directory,
    stateDirectory,
    calls,
    workplace,
    workspace: { pulumiHome: home, pulumiCommand, envVars: environment },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

/** The shell of a user who is logged in at AWS; `node` in it is the Node that runs the tests. */
function shellEnvironment(account: Account, machines: Machines): Record<string, string> {
  const searchPath = [machines.searchPath, dirname(process.execPath), process.env["PATH"] ?? ""].join(":");
  return { ...account.environment, ...machines.environment, PATH: searchPath };
}

function engineEnvironment(stateDirectory: string): Record<string, string> {
  return {
    PULUMI_BACKEND_URL: `file://${stateDirectory}`,
    PULUMI_CONFIG_PASSPHRASE: "passphrase of the tests",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // A plugin that is missing fails at once instead of being looked for on the internet.
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
    LIFEBOAT_TEST_NODE: process.execPath,
    LIFEBOAT_TEST_LANGUAGE_HOST: join(import.meta.dirname, "..", "language-host", "host.ts"),
  };
}

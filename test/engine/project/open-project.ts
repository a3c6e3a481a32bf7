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
export type Ground = AsyncDisposable &
  Readonly<{
    hetzner: ServedCloud;
    account: Account;
    /** The changes that the stand-ins of aws and command made, in order. */
    calls: ProviderCall[];
    /** Where those stand-ins run: in the checkout that was made or used last. */
    workplace: Workplace;
    directory: string;
    stateDirectory: string;
    /** For every stack: which engine, where its state lies, what it finds in its environment. */
    workspace: LocalWorkspaceOptions;
    /** What the shell of such a user holds: logged in at AWS, `pulumi` on PATH. */
    shell: Record<string, string>;
  }>;

/** The same, with machines that are played. */
export type Project = Ground & Readonly<{ machines: Machines }>;

type Clouds = Readonly<{
  directory: string;
  hetzner: ServedCloud;
  account: Account;
  /** The way to the machines, for programs in that shell. */
  environment: Record<string, string>;
  searchPath: readonly string[];
}>;

/** Starts the doubles and prepares a PULUMI_HOME and a state of its own. Disposing takes all of it away. */
export async function openProject(): Promise<Project> {
  await using made = new AsyncDisposableStack();
  const directory = await makeDirectory(made);
  const account = made.use(await openAccount(directory));
  const hetzner = made.use(await serveHcloud());
  const machines = made.use(await serveMachines(hetzner.cloud, account));
  const door = machines.environment["LIFEBOAT_TEST_MACHINES"] ?? "";
  const environment = {
    ...machines.environment,
    // The machines' addresses are of loopback, and nothing listens there: whoever plays the machines is the way to them.
    NODE_USE_ENV_PROXY: "1",
    HTTP_PROXY: door,
    HTTPS_PROXY: door,
    NO_PROXY: "127.0.0.1,localhost",
  };
  const clouds = { directory, hetzner, account, environment, searchPath: [machines.searchPath] };
  const ground = await openGround(made, clouds);
  const everything = made.move();
  return { ...ground, machines, [Symbol.asyncDispose]: () => everything.disposeAsync() };
}

/** Makes the folder of a project, which goes with it. */
export async function makeDirectory(made: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "lifeboat-engine-"));
  made.defer(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Starts the stand-ins of the providers, and prepares the rest. */
export async function openGround(
  made: AsyncDisposableStack,
  clouds: Clouds,
): Promise<Omit<Ground, keyof AsyncDisposable>> {
  const { directory, hetzner, account, searchPath } = clouds;
  const calls: ProviderCall[] = [];
  const workplace = { directory };
  const engine = await findEngine(console.error);
  const pulumiCommand = await PulumiCommand.get({ root: engine.root });
  const path = [
    ...searchPath,
    dirname(pulumiCommand.command),
    dirname(process.execPath),
    process.env["PATH"] ?? "",
  ].join(":");
  const login = { ...account.environment, ...clouds.environment, PATH: path };
  const aws = made.use(await serveAws(account, calls, workplace));
  const command = made.use(await serveCommand(login, calls, workplace));
  const [home, stateDirectory] = [join(directory, "home"), join(directory, "state")];
  await mkdir(home);
  await mkdir(stateDirectory);
  await symlink(engine.pluginsDirectory, join(home, "plugins"));
  const environment = {
    ...engineEnvironment(stateDirectory),
    PULUMI_HOME: home,
    PULUMI_DEBUG_PROVIDERS: `aws:${aws.port},command:${command.port}`,
  };
  const workspace = { pulumiHome: home, pulumiCommand, envVars: environment };
  const shell = { ...login, ...environment };
  return { hetzner, account, directory, stateDirectory, calls, workplace, workspace, shell };
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

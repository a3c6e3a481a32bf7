import { existsSync, readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";

import { type LocalWorkspace, Stack } from "@pulumi/pulumi/automation/index.js";

import { Refused } from "../../app/cli/command-line.ts";
import { findStack, listResources, openWorkspace, settingsFileOf } from "../engine/open-stack.ts";
import { setSecret } from "../engine/set-secret.ts";
import { openCloudStore } from "../store/open-client.ts";
import type { AdoptOptions } from "./arguments.ts";
import { adoptedSecrets, adoptedSettings, type Recovery, readRecovery } from "./recovery.ts";

/** A stack made from what its bucket says. Disposing removes it again, unless it was kept. */
export type Adoption = AsyncDisposable & {
  stack: Stack;
  recovery: Recovery;
  /** The only token that the API will accept. */
  apiToken: string;
  keep(): void;
};

/**
 * Makes the stack of a bucket, with its settings and new secrets, and nothing in any cloud. Throws Refused when that
 * stack already has resources.
 */
export async function openAdoption(options: AdoptOptions, stackName: string | undefined): Promise<Adoption> {
  using store = await openCloudStore({
    LIFEBOAT_BUCKET: options.bucket,
    LIFEBOAT_REGION: readRegion(options, process.env),
    LIFEBOAT_ENDPOINT: options.endpoint,
    LIFEBOAT_PATH_STYLE: String(options.endpoint !== undefined),
  });
  const recovery = await readRecovery(store);
  const sshKey = options.sshKeyFile === undefined ? undefined : readPublicKey(options.sshKeyFile);
  const settings = adoptedSettings(recovery, { sshKey, adminCidr: options.adminCidr });
  const secrets = adoptedSecrets(recovery, process.env);
  const workspace = await openWorkspace();
  const name = await nameStack(workspace, recovery, stackName);
  await using undo = new AsyncDisposableStack();
  const stack = await makeStack(workspace, name, undo);
  await stack.setAllConfig({ ...settings, ...secrets.settings }, true);
  for (const [key, secret] of Object.entries(secrets.secrets)) await setSecret(stack, key, secret);
  const kept = undo.move();
  let isKept = false;
  return {
    stack,
    recovery,
    apiToken: secrets.apiToken,
    keep: () => (isKept = true),
    [Symbol.asyncDispose]: async () => (isKept ? undefined : kept.disposeAsync()),
  };
}

async function nameStack(workspace: LocalWorkspace, { owner }: Recovery, given: string | undefined): Promise<string> {
  const [project, stack = ""] = owner.split("/");
  const { name } = await workspace.projectSettings();
  if (project !== name)
    throw new Refused(
      `the bucket belongs to project ${project}, and Pulumi.yaml says ${name}: give the project that name there, or name another bucket: --adopt BUCKET`,
    );
  if (given !== undefined && given.split("/").at(-1) !== stack)
    throw new Refused(`the bucket belongs to stack ${stack}, and --stack says ${given}: say --stack ${stack}`);
  return given ?? stack;
}

/** Makes the empty stack. `undo` gets the steps that remove it again. */
async function makeStack(workspace: LocalWorkspace, name: string, undo: AsyncDisposableStack): Promise<Stack> {
  const file = settingsFileOf(name);
  const found = await findStack(workspace, name);
  const before = existsSync(file) ? await readFile(file, "utf8") : null;
  if (found === null) {
    const made = await Stack.create(name, workspace);
    undo.defer(async () => {
      await workspace.removeStack(name);
      if (before !== null) await writeFile(file, before);
    });
    return made;
  }
  const resources = await listResources(found);
  if (resources.length > 0)
    throw new Refused(
      `stack ${name} already has ${resources.length} resources: nothing needs to be adopted, use npm run up`,
    );
  if (before !== null) undo.defer(() => writeFile(file, before));
  return found;
}

function readRegion({ region, endpoint }: AdoptOptions, environment: NodeJS.ProcessEnv): string {
  const found = region ?? environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? "";
  if (found !== "") return found;
  if (endpoint !== undefined) return "us-east-1";
  throw new Refused("the bucket's region is not known: --region, or AWS_REGION");
}

function readPublicKey(path: string): string {
  const key = readFileSync(path, "utf8").trim();
  if (!/^(ssh-|ecdsa-|sk-)\S+ \S+/.test(key))
    throw new Refused(`${path} holds no public key (it is the file that ends in .pub): name one with --ssh-key FILE`);
  return key;
}

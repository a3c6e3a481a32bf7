import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";

import type { Checkout } from "./check-out.ts";
import type { Ground } from "./open-project.ts";

export type VerbRun = Readonly<{ code: number; stdout: string; stderr: string }>;
type VerbOptions = Readonly<{
  environment?: Record<string, string>;
  /** Ctrl-C, for the verb and all that it started, as soon as its output matches. */
  interruptAt?: RegExp;
  /** After this it is ended. */
  limitMs?: number;
}>;

const verbLimitMs = 240_000;

/**
 * An `up` of these takes the release that the checkout's `build` has made; only a test that says otherwise packs a real
 * one.
 */
type Build = Readonly<{ buildsRelease?: boolean }>;

/**
 * Runs `npm run up`, or another verb of a stack, of a checkout as its user would who has no terminal: logged in at AWS, `pulumi`
 * on PATH.
 */
export async function runVerb(
  { project, checkout }: { project: Pick<Ground, "shell" | "workplace">; checkout: Checkout },
  [verb, ...words]: readonly ["up" | "down" | "deploy" | "rollback" | "releases" | "status", ...string[]],
  { environment = {}, interruptAt, buildsRelease = false, limitMs = verbLimitMs }: VerbOptions & Build = {},
): Promise<VerbRun> {
  const release = (verb === "up" || verb === "deploy") && !buildsRelease ? ["--no-build"] : [];
  project.workplace.directory = join(checkout.directory, "infra");
  // A verb of the machine is a word of one program.
  const program = verb === "status" ? [join("scripts", "lifeboat.ts"), verb] : [join("scripts", `${verb}.ts`)];
  const child = spawn(process.execPath, [...program, ...words, ...release], {
    cwd: checkout.directory,
    env: { ...process.env, ...project.shell, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: limitMs,
    // A new process group, as in a terminal.
    detached: interruptAt !== undefined,
  });
  if (interruptAt !== undefined) interruptOnce(child, interruptAt);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: Number(code ?? -1), stdout, stderr };
}

function interruptOnce(child: ChildProcessByStdio<null, Readable, Readable>, at: RegExp): void {
  let seen = "";
  const look = (chunk: Buffer) => {
    seen += chunk.toString();
    if (!at.test(seen) || child.pid === undefined) return;
    child.stdout.off("data", look);
    process.kill(-child.pid, "SIGINT");
  };
  child.stdout.on("data", look);
}

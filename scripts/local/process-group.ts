import { spawn } from "node:child_process";
import { appendFileSync, closeSync, openSync } from "node:fs";

import { type Leftovers, signalGroup } from "./leftovers.ts";

export type Command = Readonly<{ file: string; words: readonly string[] }>;

export type Surroundings = Readonly<{
  environment: Readonly<Record<string, string>>;
  directory: string;
  logFile: string;
  leftovers: Leftovers;
}>;

/** `code` is null when a signal ended the process, and 127 when it could not be started. */
export type Exit = Readonly<{ code: number | null; signal: NodeJS.Signals | null }>;

export type ProcessGroup = Readonly<{
  /** Undefined when it could not be started. */
  pid: number | undefined;
  exited: Promise<Exit>;
  signal(name: NodeJS.Signals): void;
}>;

/**
 * Starts a command in its own process group, so that Ctrl-C in the terminal does not reach it and a signal reaches its
 * children too. Appends its output to the log file. When the leader ends, its children are killed, as systemd does.
 */
export function startProcessGroup(command: Command, surroundings: Surroundings): ProcessGroup {
  const { environment, directory, logFile, leftovers } = surroundings;
  const log = openSync(logFile, "a");
  const child = spawn(command.file, command.words, {
    detached: true,
    stdio: ["ignore", log, log],
    env: environment,
    cwd: directory,
  });
  closeSync(log);
  const pid = child.pid;
  if (pid !== undefined) leftovers.addGroup(pid);
  const { promise: exited, resolve } = Promise.withResolvers<Exit>();
  child.once("error", (error) => {
    appendFileSync(logFile, `${command.file} could not be started: ${error.message}\n`);
    resolve({ code: 127, signal: null });
  });
  child.once("exit", (code, signal) => {
    if (pid !== undefined) {
      signalGroup(pid, "SIGKILL");
      leftovers.forgetGroup(pid);
    }
    resolve({ code, signal });
  });
  const signal = (name: NodeJS.Signals) => {
    if (pid !== undefined && child.exitCode === null && child.signalCode === null) signalGroup(pid, name);
  };
  return { pid, exited, signal };
}

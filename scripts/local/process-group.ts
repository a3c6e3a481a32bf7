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

/** `code` is null when a signal ended the process; 127 means that it could not be started. */
export type Exit = Readonly<{ code: number | null; signal: NodeJS.Signals | null }>;

export type ProcessGroup = Readonly<{
  exited: Promise<Exit>;
  signal(name: NodeJS.Signals): void;
}>;

/**
 * Starts a command in a process group of its own, so that Ctrl-C in the terminal does not reach it and so that a
 * signal reaches its children too. Output goes to the end of the log file. When the leader ends, its children are
 * killed, as systemd does.
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
  return { exited, signal };
}

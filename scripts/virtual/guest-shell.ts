import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { runCommand } from "../build/run-command.ts";

/** A key that root may come in with. */
export type ShellKey = Readonly<{ file: string; publicKey: string }>;

const connectTries = 5;
const noConnection = 255;

/** Makes a key of its own for the machines of one rehearsal. */
export async function makeShellKey(directory: string): Promise<ShellKey> {
  const file = join(directory, "key");
  await runCommand("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "rehearsal", "-f", file], {
    timeoutMs: 20_000,
  });
  const publicKey = await runCommand("ssh-keygen", ["-y", "-f", file], { timeoutMs: 20_000 });
  return { file, publicKey: publicKey.trim() };
}

type Place = Readonly<{ address: string; port: number; key: ShellKey }>;

/** A command for root inside a virtual machine, by SSH. */
export class GuestShell {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  /** Runs a script, and returns what it printed. Throws with its complaints when it fails. */
  run(script: string, timeoutMs = 120_000): Promise<string> {
    return this.#try(script, timeoutMs, text);
  }

  /** The same, into a file. */
  async save(script: string, file: string, timeoutMs = 300_000): Promise<void> {
    await this.#try(script, timeoutMs, (output) => pipeline(output, createWriteStream(file)));
  }

  // An emulated machine may be too busy to answer in time, and a script that has not begun can be begun again.
  async #try<Result>(script: string, timeoutMs: number, take: (output: NodeJS.ReadableStream) => Promise<Result>) {
    for (let attempt = 1; ; attempt += 1) {
      const child = spawn("ssh", [...this.#words(), script], { stdio: ["ignore", "pipe", "pipe"], timeout: timeoutMs });
      const closed = once(child, "close");
      const [result, complaint, [code]] = await Promise.all([take(child.stdout), text(child.stderr), closed]);
      if (code === 0) return result;
      if (code !== noConnection || attempt === connectTries)
        throw new Error(`a command inside the machine ended with ${String(code)}: ${complaint.trim().slice(-500)}`);
      await sleep(1000);
    }
  }

  #words(): string[] {
    const { address, port, key } = this.#place;
    const options = {
      BatchMode: "yes",
      IdentitiesOnly: "yes",
      ConnectTimeout: "30",
      // The machine is ours, and its address is on this computer.
      StrictHostKeyChecking: "no",
      UserKnownHostsFile: "/dev/null",
      LogLevel: "ERROR",
    };
    const words = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    return ["-F", "none", "-i", key.file, ...words, "-p", String(port), `root@${address}`];
  }
}

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, rmdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { test } from "vitest";

import { waitFor, within } from "../../app/cli/wait-for.ts";

export type Ran = { code: number | null; stdout: string; stderr: string };

const setup = join(import.meta.dirname, "machine-root.sh");
const doorway = join(import.meta.dirname, "doorway.mjs");
const commandLimitMs = 120_000;

const obstacle = findObstacle();
if (obstacle !== null) console.warn(`tests of the machine are skipped: they need ${obstacle}`);

/** A test that needs a machine root; left out, with the reason on stderr, where none can be made. */
export const machineTest = test.skipIf(obstacle !== null);

/**
 * A Debian of its own that costs a second: this computer's system, or another one's files, under an overlay, in
 * namespaces of its own, with /dev, /run, loopback and process 1 of its own. Whatever runs in it writes into memory,
 * and disposing takes all of it away. No virtual machine: the kernel is this computer's.
 */
export class MachineRoot implements AsyncDisposable {
  readonly #pid: number;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(pid: number, cleanup: AsyncDisposableStack) {
    this.#pid = pid;
    this.#cleanup = cleanup;
  }

  /** `init` becomes process 1. `system` is the folder with the files of the machine: this computer's, unless said otherwise. */
  static async open(init: readonly string[], system = "/"): Promise<MachineRoot> {
    await using made = new AsyncDisposableStack();
    const base = mkdtempSync(join(tmpdir(), "lifeboat-root-"));
    made.defer(() => rmSync(base, { recursive: true, force: true }));
    const namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--net", "--uts", "--ipc", "--cgroup"];
    const group = spawnSync("mktemp", ["-d", "-p", cgroupRoot(), "lifeboat-XXXXXX"], {
      encoding: "utf8",
    }).stdout.trim();
    const enter = 'echo $$ >"$0/cgroup.procs" && exec setpriv --pdeathsig SIGKILL unshare "$@"';
    const words = ["-c", enter, group, ...namespaces, "sh", setup, base, system, ...init];
    const child = spawn("sh", words, {
      stdio: ["ignore", "inherit", "inherit"],
      env: { PATH: machinePath, container: "lxc" },
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    made.defer(async () => {
      child.kill("SIGKILL");
      await within("the end of the machine root", 20_000, ended);
      await waitFor("its control groups to empty", async () => removeGroups(group), { timeoutMs: 20_000 });
    });
    const look = async () => readChild(child.pid ?? 0);
    const pid = await waitFor("process 1 of the machine root", look, { timeoutMs: 20_000 });
    const root = new MachineRoot(pid, made.move());
    await waitFor("the machine root", async () => root.succeeds(["test", "-e", "/run/machine-root"]), {
      timeoutMs: 20_000,
    });
    return root;
  }

  /** Where a file of the machine is found from outside. */
  path(path: string): string {
    return `/proc/${this.#pid}/root${path}`;
  }

  /** Runs a command in the machine, as root. Never blocks this process, which serves the machine's way to the store. */
  async run(words: readonly string[], input = ""): Promise<Ran> {
    const enter = [
      "--target",
      String(this.#pid),
      "--mount",
      "--uts",
      "--ipc",
      "--net",
      "--pid",
      "--cgroup",
      "--root",
      "--wdns=/",
    ];
    const child = spawn("nsenter", [...enter, ...words], {
      env: { PATH: machinePath },
      timeout: commandLimitMs,
      killSignal: "SIGKILL",
    });
    // A command need not read what it is given.
    child.stdin.on("error", () => child.stdin.destroy()).end(input);
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code: typeof code === "number" ? code : null, stdout, stderr };
  }

  /** True if the command ends with 0, else null: a probe for waitFor. */
  async succeeds(words: readonly string[]): Promise<true | null> {
    return (await this.run(words)).code === 0 ? true : null;
  }

  /** Gives a block device to the machine. */
  async addDevice(device: string, names: readonly string[]): Promise<void> {
    // As udev does it: also by number, where systemd looks for it.
    const script =
      'major=$((0x$(stat -c %t "$1"))) minor=$((0x$(stat -c %T "$1"))) && mknod "$0$1" b $major $minor &&' +
      ' mkdir -p "$0/dev/block" && ln -sfn "$1" "$0/dev/block/$major:$minor"';
    const made = spawnSync("sh", ["-c", script, this.path(""), device], { encoding: "utf8" });
    if (made.status !== 0) throw new Error(`mknod ${device}: ${made.stderr}`);
    for (const name of names) await this.run(["ln", "-s", device, `/dev/disk/by-id/${name}`]);
  }

  /** Lets the machine reach a port of this computer's loopback under the same number. */
  async openDoor(port: number): Promise<void> {
    const socket = join(mkdtempSync(join(tmpdir(), "lifeboat-door-")), "s");
    const server = createServer((near) => {
      const far = connect({ host: "127.0.0.1", port });
      near.pipe(far).pipe(near);
      near.on("error", () => far.destroy());
      far.on("error", () => near.destroy());
    });
    server.listen(socket);
    const words = [
      "--pdeathsig",
      "SIGKILL",
      "nsenter",
      "--target",
      String(this.#pid),
      "--net",
      process.execPath,
      doorway,
      String(port),
      socket,
    ];
    const child = spawn("setpriv", words, { stdio: "inherit" });
    this.#cleanup.defer(() => {
      child.kill("SIGKILL");
      server.close();
      rmSync(join(socket, ".."), { recursive: true, force: true });
    });
    const probe = () => this.succeeds(["curl", "-s", "-o", "/dev/null", `http://127.0.0.1:${port}/`]);
    await waitFor(`port ${port} in the machine root`, probe, { timeoutMs: 20_000, everyMs: 100 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cleanup.disposeAsync();
  }
}

const machinePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function findObstacle(): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "root on Linux";
  for (const command of ["unshare", "nsenter", "setpriv", "pivot_root", "ip"]) {
    if (spawnSync("which", [command]).status !== 0) return command;
  }
  return null;
}

function cgroupRoot(): string {
  const mounted = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .find((line) => line.startsWith("cgroup2 "));
  const path = mounted?.split(" ")[1];
  if (path === undefined) throw new Error("no cgroup2 is mounted here");
  return path;
}

function readChild(pid: number): number | null {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? null : Number(children.split(" ")[0]);
}

/** Innermost first; null while a process is still in one of them. */
function removeGroups(group: string): true | null {
  const groups = spawnSync("find", [group, "-depth", "-type", "d"], { encoding: "utf8" })
    .stdout.split("\n")
    .filter((path) => path !== "");
  for (const path of groups) rmdirSync(path);
  return true;
}

import { createHash } from "node:crypto";

import { Type } from "typebox";
import { Value } from "typebox/value";

import { waitFor } from "../../app/cli/wait-for.ts";
import type { UserDataInput } from "../../cloud-init/user-data-input.ts";
import { MachineRoot } from "../cloud-init/machine-root.ts";
import type { ReleaseBucket } from "../cloud-init/release-bucket.ts";
import type { VolumeFile } from "../cloud-init/volume-file.ts";
import { writeUserData } from "../cloud-init/write-user-data.ts";

const token = "a-token";

const systemd = ["/lib/systemd/systemd", "--system", "--unit=basic.target", "--show-status=no", "--log-target=journal"];
/** What cloud-init makes on a server of Hetzner's. */
export const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHostKeyOfTheTest";

const readyLimitMs = 90_000;
// curl writes 000 when nobody answers, which is no number in JSON.
const answerSchema = Type.Object({ status: Type.String(), body: Type.Unknown() });

/** A machine with a real systemd that was given user-data and a volume, as cloud-init and Hetzner would. */
export class SystemdMachine implements AsyncDisposable {
  static #switchedOn = 0;
  readonly root: MachineRoot;
  /** What Hetzner calls it, and no other. */
  readonly serverNumber = String(4711 + SystemdMachine.#switchedOn++);
  /** Of the token that `ask` sends. */
  readonly tokenSha256 = createHash("sha256").update(token).digest("hex");

  private constructor(root: MachineRoot) {
    this.root = root;
  }

  /** Does not wait until it is ready. `system` is the folder with its files, if they are not those of this computer. */
  static async switchOn(
    bucket: ReleaseBucket,
    sha256: string,
    volume: VolumeFile,
    { system, ...changed }: Partial<UserDataInput> & { system?: string } = {},
  ): Promise<SystemdMachine> {
    await using made = new AsyncDisposableStack();
    const root = made.use(await MachineRoot.open(systemd, system));
    await root.openDoor(bucket.port);
    const machine = new SystemdMachine(root);
    await waitFor("systemd", () => root.succeeds(["systemctl", "is-active", "basic.target"]), { timeoutMs: 30_000 });
    await machine.do("systemctl", "start", "systemd-journald.service");
    await machine.do("sh", "-c", "tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id");
    await machine.do("sh", "-c", `mkdir -p /etc/ssh && echo ${hostKey} root@host >/etc/ssh/ssh_host_ed25519_key.pub`);
    await machine.do(
      "sh",
      "-c",
      `mkdir -p /var/lib/cloud/data && echo ${machine.serverNumber} >/var/lib/cloud/data/instance-id`,
    );
    const apiTokensSha256 = [machine.tokenSha256];
    const runcmd = writeUserData(root, bucket.renderUserData(sha256, { apiTokensSha256, ...changed }));
    for (const words of runcmd) await machine.do(...words);
    await root.addDevice(volume.device, ["scsi-0HC_Volume_4711"]);
    made.move();
    return machine;
  }

  /** Runs a command that has to succeed; returns what it printed. */
  async do(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.root.run(words);
    if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${stderr}`);
    return stdout;
  }

  /** One property of a unit, such as MainPID. */
  async show(unit: string, property: string): Promise<string> {
    return (await this.do("systemctl", "show", "--property", property, "--value", unit)).trim();
  }

  /** How often the app began to serve. */
  async countStarts(): Promise<number> {
    const journal = await this.do("journalctl", "--no-pager", "--unit=app", "--output=cat");
    return journal.split("\n").filter((line) => line.includes('"msg":"serving"')).length;
  }

  async waitUntilReady(): Promise<void> {
    await this.#wait("/ready", async () => ((await this.ask("GET", "/ready")).status === 200 ? true : null));
  }

  /** Waits until a unit is in that state: active, inactive, failed. */
  async waitForState(unit: string, state: string): Promise<void> {
    await this.#wait(`${unit} to be ${state}`, async () =>
      (await this.show(unit, "ActiveState")) === state ? true : null,
    );
  }

  /** A request to the app, from within the machine; status 0 when nobody answers. */
  async ask(method: string, path: string, body?: unknown, as = token): Promise<{ status: number; body: unknown }> {
    const words = ["--silent", "--max-time", "20", "--request", method, "--header", `Authorization: Bearer ${as}`];
    const sent =
      body === undefined
        ? []
        : [
            "--header",
            "Content-Type: application/json",
            "--header",
            "Durability: bucket",
            "--data",
            JSON.stringify(body),
          ];
    const format = '{"status":"%{http_code}","body":';
    const url = `http://127.0.0.1${path}`;
    const { stdout } = await this.root.run([
      "sh",
      "-c",
      'b=$(mktemp) && curl --output "$b" "$@"; cat "$b"; printf "}"',
      "sh",
      "--write-out",
      format,
      ...words,
      ...sent,
      url,
    ]);
    const answer: unknown = JSON.parse(stdout.endsWith(":}") ? `${stdout.slice(0, -1)}null}` : stdout);
    const { status, body: answered } = Value.Parse(answerSchema, answer);
    return { status: Number(status), body: answered };
  }

  /** Reads one after the other, ten a second, for as long as they may; returns each answer's status and how often it had to connect. */
  async readOnOneConnection(count: number): Promise<string[]> {
    const words = ["--silent", "--rate", "10/s", "--header", `Authorization: Bearer ${token}`, "--output", "/dev/null"];
    const format = ["--write-out", "%{http_code} after %{num_connects}\\n"];
    return (await this.do("curl", ...words, ...format, `http://127.0.0.1/customers#[1-${count}]`)).trim().split("\n");
  }

  async #wait(name: string, probe: () => Promise<true | null>): Promise<void> {
    try {
      await waitFor(name, probe, { timeoutMs: readyLimitMs, everyMs: 200 });
    } catch (error) {
      const { stdout } = await this.root.run(["journalctl", "--no-pager", "--lines=40", "--output=cat"]);
      throw new Error(`the machine's last words:\n${stdout}`, { cause: error });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.root[Symbol.asyncDispose]();
  }
}

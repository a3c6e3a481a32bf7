import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, matchesGlob } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";

import { Type } from "typebox";

import { parseJson } from "../../app/replica/parse-json.ts";
import { type Instruction, parseDockerfile } from "./dockerfile.ts";

const stepLimitMs = 200_000;
const namespaces = ["--mount", "--propagation", "private", "--uts", "--ipc", "--pid", "--fork", "--kill-child"];
const Words = Type.Array(Type.String(), { minItems: 1 });

type Settings = {
  env: Record<string, string>;
  user: string;
  volume: string;
  signal: NodeJS.Signals;
  entrypoint: string[];
  healthcheck: string[];
};

/**
 * An image as Docker would build it, without Docker: each step is carried out in a root of its own on top of a Debian.
 * The network is this computer's.
 */
export class Image implements AsyncDisposable {
  readonly settings: Settings = {
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
    user: "root",
    volume: "",
    signal: "SIGTERM",
    entrypoint: [],
    healthcheck: [],
  };
  readonly #base: string;
  readonly #context: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "lb-image-"));
  readonly #args: Record<string, string> = {};

  private constructor(base: string, context: string) {
    this.#base = base;
    this.#context = context;
  }

  /** Builds from a Dockerfile and the files of a context. `bases` has the folder of each image that FROM may name. */
  static async build(dockerfile: string, context: string, bases: Readonly<Record<string, string>>): Promise<Image> {
    const [first, ...steps] = parseDockerfile(dockerfile);
    const base = first?.name === "FROM" ? bases[first.rest] : undefined;
    if (base === undefined) throw new Error(`FROM ${first?.rest} is none of ${Object.keys(bases).join(", ")}`);
    const image = new Image(base, context);
    try {
      for (const step of steps) await image.#carryOut(step);
      return image;
    } catch (error) {
      await image[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The layer that the steps made, which containers put theirs upon. */
  get layers(): string {
    return `${join(this.#folder, "upper")}:${this.#base}`;
  }

  async #carryOut({ name, rest }: Instruction): Promise<void> {
    const { settings } = this;
    if (name === "RUN") await this.#inRoot(`chroot "$root" /bin/sh -c "$2"`, rest);
    else if (name === "ARG") this.#args[rest.split("=")[0] ?? ""] = rest.split("=")[1] ?? "";
    else if (name === "ADD") await this.#add(rest);
    else if (name === "ENV")
      for (const [, key = "", value = ""] of rest.matchAll(/(\w+)=(\S+)/g)) settings.env[key] = value;
    else if (name === "USER") settings.user = rest;
    else if (name === "VOLUME") settings.volume = rest;
    else if (name === "STOPSIGNAL" && (rest === "SIGTERM" || rest === "SIGINT")) settings.signal = rest;
    else if (name === "ENTRYPOINT") settings.entrypoint = parseJson(Words, rest, name);
    else if (name === "HEALTHCHECK") settings.healthcheck = parseJson(Words, rest.replace(/^CMD /, ""), name);
    else if (name !== "EXPOSE") throw new Error(`${name} ${rest} is not carried out here`);
  }

  /** An archive is unpacked. What .dockerignore leaves out does not exist. */
  async #add(rest: string): Promise<void> {
    const [source = "", target = ""] = rest.replaceAll(/\$\{(\w+)\}/g, (_, name) => this.#args[name] ?? "").split(" ");
    const [everything, ...kept] = readFileSync(join(this.#context, ".dockerignore"), "utf8").trim().split("\n");
    if (everything !== "*" || !kept.some((pattern) => matchesGlob(source, pattern.slice(1))))
      throw new Error(`.dockerignore leaves ${source} out`);
    await this.#inRoot(`mkdir -p "$root$3" && tar -xzf "$2" -C "$root$3"`, join(this.#context, source), target);
  }

  async #inRoot(script: string, ...words: string[]): Promise<void> {
    for (const name of ["upper", "work", "root"]) mkdirSync(join(this.#folder, name), { recursive: true });
    const steps = `root=$1/root; mount -t overlay overlay -o "lowerdir=$0,upperdir=$1/upper,workdir=$1/work" "$root"
      mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"
      mount --bind /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || cp /etc/resolv.conf "$root/etc/resolv.conf"
      ${script}`;
    const command = [...namespaces, "sh", "-euc", steps, this.#base, this.#folder, ...words];
    await promisify(execFile)("unshare", command, { timeout: stepLimitMs });
  }

  [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true });
    return Promise.resolve();
  }
}

type Ran = Readonly<{
  name: string;
  volume: string;
  env: Readonly<Record<string, string>>;
  folder: string;
  /** Instead of the image's. */
  entrypoint?: readonly string[];
}>;

/** A container of an image: PID 1 in namespaces of its own, with the layers, the user and the environment of the image. */
export class Container implements AsyncDisposable {
  readonly #image: Image;
  readonly #ran: Ran;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #output = "";

  private constructor(image: Image, ran: Ran) {
    this.#image = image;
    this.#ran = ran;
    this.#child = spawn("unshare", this.#words(), {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"] },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding("utf8").on("data", (chunk: string) => (this.#output += chunk));
    this.#ended = once(this.#child, "close").then(([code]) => (typeof code === "number" ? code : null));
  }

  /** docker run. A container of that name and volume that ran before goes on with its own files. */
  static run(image: Image, ran: Ran): Container {
    for (const name of ["upper", "work", "root"]) mkdirSync(join(ran.folder, ran.name, name), { recursive: true });
    return new Container(image, ran);
  }

  #words(): string[] {
    const { name, volume, env, folder, entrypoint } = this.#ran;
    const { settings, layers } = this.#image;
    const own = join(folder, name);
    const variables = Object.entries({ ...settings.env, ...env }).map(([key, value]) => `${key}=${value}`);
    const start = `own=$1 root=$1/root volume=$2 user=$4; hostname "$3"
      mount -t overlay overlay -o "lowerdir=$0,upperdir=$own/upper,workdir=$own/work" "$root"
      chown --reference "$root$5" "$volume"; chmod --reference "$root$5" "$volume"
      mount --bind "$volume" "$root$5"
      mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"; mount -t tmpfs tmpfs "$root/tmp"
      shift 5; exec chroot --userspec="$user:$user" "$root" env -i "$@"`;
    const placed = [layers, own, volume, name, settings.user, settings.volume];
    return [...namespaces, "sh", "-euc", start, ...placed, ...variables, ...(entrypoint ?? settings.entrypoint)];
  }

  get output(): string {
    return this.#output;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The commands that run in it, by their process ids on this computer. */
  processes(): { pid: number; command: string }[] {
    const pids: number[] = [];
    const visit = (pid: number) => {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
      for (const child of children === "" ? [] : children.split(" ").map(Number)) {
        pids.push(child);
        if (existsSync(`/proc/${child}`)) visit(child);
      }
    };
    visit(this.#child.pid ?? 0);
    return pids.map((pid) => ({ pid, command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ") }));
  }

  /** docker kill --signal to one process, by a part of its command. */
  kill(part: string, signal: NodeJS.Signals): void {
    const found = this.processes().filter(({ command }) => command.includes(part));
    if (found[0] === undefined) throw new Error(`there is no ${part} among ${JSON.stringify(this.processes())}`);
    // The outer ones only hold it: flock becomes what it runs.
    process.kill(found.at(-1)?.pid ?? 0, signal);
  }

  /** docker stop, without its time limit: the image's signal to PID 1. Returns the exit code. */
  async stop(): Promise<number | null> {
    const [first] = this.processes();
    if (first === undefined) throw new Error(`nothing runs:\n${this.#output}`);
    process.kill(first.pid, this.#image.settings.signal);
    return this.#ended;
  }

  /** The exit code of HEALTHCHECK. */
  async checkHealth(): Promise<number> {
    return (await this.exec(this.#image.settings.healthcheck)).code;
  }

  /** docker exec: with the user and the environment of the image and of docker run, and nothing of the entry's. */
  async exec(words: readonly string[]): Promise<{ code: number; output: string }> {
    const [first] = this.processes();
    const { env, user } = this.#image.settings;
    const variables = Object.entries({ ...env, ...this.#ran.env }).map(([key, value]) => `${key}=${value}`);
    const inside = ["--target", String(first?.pid), "--mount", "--uts", "--ipc", "--pid", "--root"];
    const become = ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", "env", "-i"];
    const child = spawn("nsenter", [...inside, ...become, ...variables, ...words], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [said, complained, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close"),
    ]);
    return { code: Number(code), output: said + complained };
  }

  /** Until it ends by itself. Returns the exit code. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

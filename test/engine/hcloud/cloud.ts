import { createHash } from "node:crypto";

import type { Image, Location, ServerType } from "./catalogue.ts";
import { type Faults, noFaults } from "./faults.ts";
import { invalidInput, Refusal } from "./refusal.ts";

export type Kind = "ssh_keys" | "firewalls" | "primary_ips" | "volumes" | "servers";

type Common = { id: number; name: string; labels: Record<string, string>; created: string };
type Protection = { delete: boolean };

export type SshKey = Common & { public_key: string; fingerprint: string };
type FirewallRule = { direction: string; protocol: string; port: string | null; source_ips: string[] };
export type Firewall = Common & { rules: FirewallRule[]; applied_to: unknown[] };
export type PrimaryIp = Common & {
  type: "ipv4" | "ipv6";
  ip: string;
  auto_delete: boolean;
  assignee_id: number | null;
  location: Location;
  protection: Protection;
};
export type Volume = Common & {
  size: number;
  server: number | null;
  location: Location;
  linux_device: string;
  format: string | null;
  protection: Protection;
};
export type NetAddress = { id: number; ip: string };
export type Server = Common & {
  status: "running" | "off";
  public_net: { ipv4: NetAddress | null; ipv6: NetAddress | null; firewalls: { id: number; status: string }[] };
  server_type: ServerType;
  location: Location;
  image: Image;
  protection: Protection & { rebuild: boolean };
  /** The hours in which Hetzner takes the daily backup; null while backups are off. */
  backup_window: string | null;
  volumes: number[];
  /** Not in the API's answers: what the metadata service would give to the machine. */
  user_data: string;
  ssh_keys: number[];
};
export type Rrset = {
  /** NAME/TYPE */
  id: string;
  name: string;
  type: string;
  ttl: number | null;
  labels: Record<string, string>;
  protection: { change: boolean };
  records: { value: string; comment?: string }[];
  zone: number;
};
export type Zone = {
  id: number;
  name: string;
  mode: "primary" | "secondary";
  /** By their ids. */
  rrsets: Map<string, Rrset>;
};
export type Action = {
  id: number;
  command: string;
  status: "running" | "success" | "error";
  resources: { id: number; type: string }[];
  error: { code: string; message: string } | null;
};

/** What stands behind the servers and volumes of a project. Each promise resolves when it has happened, or rejects. */
export type Hardware = Readonly<{
  /** Makes a server and switches it on. */
  make(server: Server): Promise<void>;
  /** Takes a server away as it is. */
  remove(server: Server): Promise<void>;
  powerOn(server: Server): Promise<void>;
  powerOff(server: Server): Promise<void>;
  /** Presses the power button, and waits until the server is off. */
  shutDown(server: Server): Promise<void>;
  makeVolume(volume: Volume): Promise<void>;
  removeVolume(volume: Volume): Promise<void>;
  growVolume(volume: Volume): Promise<void>;
  attach(volume: Volume, server: Server): Promise<void>;
  detach(volume: Volume, server: Server): Promise<void>;
}>;

const done = async () => undefined;

/** Nothing: servers that are names and numbers. */
const noHardware: Hardware = {
  make: done,
  remove: done,
  powerOn: done,
  powerOff: done,
  shutDown: done,
  makeVolume: done,
  removeVolume: done,
  growVolume: done,
  attach: done,
  detach: done,
};

type RunningAction = Readonly<{ action: Action; endsAt: number; finish: () => void }> & { isWorking: boolean };
type ActionOptions = Readonly<{
  command: string;
  resources: readonly { id: number; type: string }[];
  /** What it waits for. When it rejects the action ends in an error. */
  work?: Promise<void>;
}>;

const actionMs = 40;

/** The project behind one token: everything that stands in it, and the rules that hold for all of it. */
export class Cloud {
  readonly ssh_keys = new Map<number, SshKey>();
  readonly firewalls = new Map<number, Firewall>();
  readonly primary_ips = new Map<number, PrimaryIp>();
  readonly volumes = new Map<number, Volume>();
  readonly servers = new Map<number, Server>();
  readonly zones = new Map<number, Zone>();
  readonly actions = new Map<number, Action>();
  readonly hardware: Hardware;
  faults: Faults = noFaults;
  #running: RunningAction[] = [];
  #lastId = 1000;

  constructor(hardware: Hardware = noHardware) {
    this.hardware = hardware;
  }

  /** What every new thing has. Throws a Refusal when the name is taken. */
  introduce(kind: Kind, { name, labels }: { name: string; labels?: Record<string, string> }): Common {
    if ([...this[kind].values()].some((other) => other.name === name)) {
      throw new Refusal(409, "uniqueness_error", `name is already used (${name})`);
    }
    return { id: (this.#lastId += 1), name, labels: labels ?? {}, created: new Date().toISOString() };
  }

  /** Adds a zone, as somebody does in the console. */
  addZone(name: string, mode: Zone["mode"] = "primary"): Zone {
    const zone: Zone = { id: (this.#lastId += 1), name, mode, rrsets: new Map() };
    this.zones.set(zone.id, zone);
    return zone;
  }

  /** Starts an action. Until it ends its resources are locked; its effect comes at its end. */
  begin({ command, resources, work }: ActionOptions, effect: () => void = () => {}): Action {
    let error = this.faults.failedActions.includes(command)
      ? { code: "action_failed", message: `action ${command} failed` }
      : null;
    const action: Action = {
      id: (this.#lastId += 1),
      command,
      status: "running",
      resources: [...resources],
      error: null,
    };
    this.actions.set(action.id, action);
    const finish = () => {
      action.status = error === null ? "success" : "error";
      action.error = error;
      if (error === null) effect();
    };
    const endsAt = Date.now() + actionMs * this.faults.slowness;
    const running: RunningAction = { action, endsAt, finish, isWorking: work !== undefined };
    const fail = (cause: unknown) => (error = { code: "action_failed", message: `${command}: ${String(cause)}` });
    void work?.catch(fail).finally(() => (running.isWorking = false));
    this.#running.push(running);
    return action;
  }

  /** Ends the actions whose time has come. */
  settle(): void {
    const now = Date.now();
    const hasEnded = ({ endsAt, isWorking }: RunningAction) => endsAt <= now && !isWorking;
    const ended = this.#running.filter(hasEnded);
    this.#running = this.#running.filter((running) => !hasEnded(running));
    for (const { finish } of ended) finish();
  }

  /** Throws a Refusal while an action runs on it: the API allows one at a time. */
  demandUnlocked(type: string, id: number): void {
    const busy = this.#running.find(({ action }) => action.resources.some((one) => one.type === type && one.id === id));
    if (busy) throw new Refusal(423, "locked", `${type} ${id} is locked by action ${busy.action.command}`);
  }
}

/** The thing with that id. Throws a Refusal when there is none. */
export function demand<Thing>(table: ReadonlyMap<number, Thing>, id: number, what: string): Thing {
  const thing = table.get(id);
  if (thing === undefined) throw new Refusal(404, "not_found", `${what} ${id} not found`);
  return thing;
}

/**
 * An address that depends on the id alone: of loopback, so that whoever plays the machine can speak from it, and a store sees where its key is used;
 * for IPv6 out of the range for documentation (RFC 3849).
 */
export function addressOf(type: "ipv4" | "ipv6", id: number): string {
  return type === "ipv4" ? `127.20.0.${1 + (id % 250)}` : `2001:db8:${id.toString(16)}::/64`;
}

/** MD5 over the key's bytes, as in `ssh-keygen -E md5 -l`. */
export function fingerprintOf(publicKey: string): string {
  const [kind, body] = publicKey.trim().split(/\s+/);
  if (kind === undefined || body === undefined || !/^(ssh|ecdsa|sk)-/.test(kind)) throw invalidInput("invalid SSH key");
  const digest = createHash("md5").update(Buffer.from(body, "base64")).digest("hex");
  return digest.match(/../g)?.join(":") ?? "";
}

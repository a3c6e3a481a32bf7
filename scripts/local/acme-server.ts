import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { waitFor, within } from "../../app/cli/wait-for.ts";
import { runCommand } from "../build/run-command.ts";
import { buildPebble, type Pebble } from "../go/build-pebble.ts";
import { findFreePorts } from "./free-ports.ts";
import { type Leftovers, sharedLeftovers } from "./leftovers.ts";
import { type ProcessGroup, startProcessGroup } from "./process-group.ts";

type Ports = { acme: number; management: number; names: number; records: number; http: number; https: number };

export type AcmeOptions = Readonly<{
  leftovers?: Leftovers;
  /** Where challenges are asked for. Default: free ports. */
  edgePorts?: Readonly<{ http: number; https: number }>;
  /** The addresses under which others reach it, beside localhost. */
  addresses?: readonly string[];
}>;

/** A real ACME server and its name server, both on loopback. It asks for challenges at the ports of the edge. */
export class AcmeServer implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "lifeboat-acme-"));
  readonly ports: Ports;
  readonly #programs: Pebble;
  readonly #leftovers: Leftovers;
  readonly #addresses: readonly string[];
  #pebble: ProcessGroup | null = null;
  #nameServer: ProcessGroup | null = null;

  private constructor(programs: Pebble, ports: Ports, { leftovers, addresses }: Required<AcmeOptions>) {
    this.#programs = programs;
    this.ports = ports;
    this.#leftovers = leftovers;
    this.#addresses = addresses;
  }

  static async start(options: AcmeOptions = {}): Promise<AcmeServer> {
    const { edgePorts, leftovers = sharedLeftovers(), addresses = [] } = options;
    const programs = await buildPebble((line) => console.error(`[go] ${line}`));
    const [acme = 0, management = 0, names = 0, records = 0, http = 0, https = 0] = await findFreePorts(6);
    const ports = { acme, management, names, records, ...(edgePorts ?? { http, https }) };
    const server = new AcmeServer(programs, ports, { leftovers, addresses, edgePorts: ports });
    leftovers.addPath(server.folder);
    await server.#makeCertificate();
    server.#startNames();
    await server.startIssuing();
    return server;
  }

  get directory(): string {
    return `https://localhost:${this.ports.acme}/dir`;
  }

  /** Trusted by whoever orders. */
  get rootFile(): string {
    return join(this.folder, "cert.pem");
  }

  /**
   * Starts the ACME server, which knows nothing of what it issued before. `validitySeconds` is that of a certificate:
   * who asks for no profile gets one by chance.
   */
  async startIssuing(validitySeconds = 7_776_000): Promise<void> {
    const { acme, management, names, http, https } = this.ports;
    const config = join(this.folder, "pebble.json");
    const pebble = {
      listenAddress: `127.0.0.1:${acme}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: this.rootFile,
      privateKey: join(this.folder, "key.pem"),
      httpPort: http,
      tlsPort: https,
      keyAlgorithm: "ecdsa",
      retryAfter: { authz: 1, order: 1 },
      profiles: {
        default: { description: "of names", validityPeriod: validitySeconds },
        shortlived: { description: "of addresses", validityPeriod: Math.min(validitySeconds, 576_000) },
      },
    };
    writeFileSync(config, JSON.stringify({ pebble }));
    const words = ["-config", config, "-dnsserver", `127.0.0.1:${names}`, "-strict"];
    this.#pebble = this.#run(this.#programs.pebble, words, "pebble.log", {
      PEBBLE_VA_NOSLEEP: "1",
      PEBBLE_WFE_NONCEREJECT: "0",
    });
    await waitFor("the ACME server", () => this.#fetchRoot(), { timeoutMs: 20_000 });
  }

  async stopIssuing(): Promise<void> {
    await this.#end(this.#pebble);
    this.#pebble = null;
  }

  /** How often something was ordered since the folder was made. */
  countOrders(): number {
    return this.#count(/Added order /g);
  }

  /** The same of what was issued: an order for an address that does not answer is repeated, and fails. */
  countCertificates(): number {
    return this.#count(/Issued certificate /g);
  }

  #count(line: RegExp): number {
    return readFileSync(join(this.folder, "pebble.log"), "utf8").match(line)?.length ?? 0;
  }

  /** The root of what is issued now, as a file. */
  async writeIssuedRoot(): Promise<string> {
    const path = join(this.folder, "issued-root.pem");
    writeFileSync(path, await this.#fetchRoot());
    return path;
  }

  /** Sets the A record of a name. */
  async setAddress(name: string, address: string): Promise<void> {
    const url = `http://127.0.0.1:${this.ports.records}`;
    const host = `${name}.`;
    const answer = await fetch(`${url}/add-a`, {
      method: "POST",
      body: JSON.stringify({ host, addresses: [address] }),
    });
    if (!answer.ok) throw new Error(`the name server answered ${answer.status}`);
  }

  async removeAddress(name: string): Promise<void> {
    await fetch(`http://127.0.0.1:${this.ports.records}/clear-a`, {
      method: "POST",
      body: JSON.stringify({ host: `${name}.` }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end(this.#pebble);
    await this.#end(this.#nameServer);
    rmSync(this.folder, { recursive: true, force: true });
    this.#leftovers.forgetPath(this.folder);
  }

  #startNames(): void {
    const { names, records } = this.ports;
    const off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""];
    const words = [
      "-dnsserver",
      `127.0.0.1:${names}`,
      "-management",
      `127.0.0.1:${records}`,
      "-defaultIPv4",
      "",
      "-defaultIPv6",
      "",
      ...off,
    ];
    this.#nameServer = this.#run(this.#programs.nameServer, words, "names.log", {});
  }

  async #makeCertificate(): Promise<void> {
    const to = ["-keyout", join(this.folder, "key.pem"), "-out", this.rootFile];
    const called = ["DNS:localhost", ...this.#addresses.map((address) => `IP:${address}`)].join(",");
    const names = ["-subj", "/CN=localhost", "-addext", `subjectAltName=${called}`];
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    await runCommand("openssl", ["req", "-x509", ...kind, ...to, ...names], { timeoutMs: 20_000 });
  }

  async #fetchRoot(): Promise<string> {
    const url = `https://localhost:${this.ports.management}/roots/0`;
    return runCommand("curl", ["-sf", "--cacert", this.rootFile, url], { timeoutMs: 5_000 });
  }

  #run(file: string, words: string[], log: string, environment: Record<string, string>): ProcessGroup {
    return startProcessGroup(
      { file, words },
      { environment, directory: this.folder, logFile: join(this.folder, log), leftovers: this.#leftovers },
    );
  }

  async #end(group: ProcessGroup | null): Promise<void> {
    if (group === null) return;
    group.signal("SIGKILL");
    await within("the end of a server", 10_000, group.exited);
  }
}

import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";

import { waitFor, within } from "../../../scripts/cli/wait-for.ts";
import { findFreePorts } from "../../../scripts/local/free-ports.ts";
import { sharedLeftovers } from "../../../scripts/local/leftovers.ts";
import { type ProcessGroup, startProcessGroup } from "../../../scripts/local/process-group.ts";
import { makeCertificate } from "../aws/certificate.ts";
import { buildPebble } from "../toolchain/build-engine.ts";

const startLimitMs = 20_000;

/** Where an edge listens. */
export type EdgePorts = { http: number; https: number };
type AcmePorts = { acme: number; management: number; dns: number; dnsManagement: number };

/**
 * Pebble, Let's Encrypt's ACME server for tests, with a DNS server of its own. It asks the given ports for the proofs,
 * where the real one asks 80 and 443. Its certificates come from a new root each time it starts.
 */
export class AcmeServer implements AsyncDisposable {
  readonly directory: string;
  readonly #home: string;
  readonly #ports: AcmePorts;
  readonly #dns: ProcessGroup;
  #pebble: ProcessGroup | null = null;
  #log = "";

  private constructor(home: string, ports: AcmePorts, dns: ProcessGroup) {
    this.#home = home;
    this.#ports = ports;
    this.#dns = dns;
    this.directory = `https://127.0.0.1:${ports.acme}/dir`;
  }

  /** `shortLivedSeconds`: how long a certificate for an address is valid. */
  static async start(edge: EdgePorts, shortLivedSeconds = 518_400): Promise<AcmeServer> {
    const binaries = await buildPebble((line) => console.error(`[engine] ${line}`));
    const home = mkdtempSync(join(tmpdir(), "lifeboat-acme-"));
    sharedLeftovers().addPath(home);
    const { path: certificate, keyPath: privateKey } = await makeCertificate(home);
    const [acme = 0, management = 0, dns = 0, dnsManagement = 0] = await findFreePorts(4);
    const pebble = {
      listenAddress: `127.0.0.1:${acme}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate,
      privateKey,
      httpPort: edge.http,
      tlsPort: edge.https,
      // In seconds. The real one asks for longer pauses.
      retryAfter: { authz: 1, order: 1 },
      keyAlgorithm: "ecdsa",
      profiles: { default: makeProfile(7_776_000), shortlived: makeProfile(shortLivedSeconds) },
    };
    writeFileSync(join(home, "pebble.json"), JSON.stringify({ pebble }));
    const off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-defaultIPv6", "", "-defaultIPv4", ""];
    const words = ["-dnsserver", `127.0.0.1:${dns}`, "-management", `127.0.0.1:${dnsManagement}`, ...off];
    const started = startProcessGroup(
      { file: join(binaries, "pebble-challtestsrv"), words },
      { environment: {}, directory: home, logFile: join(home, "dns.log"), leftovers: sharedLeftovers() },
    );
    const server = new AcmeServer(home, { acme, management, dns, dnsManagement }, started);
    const isUp = async () =>
      (await server.#tellDns("clear-a", { host: "nobody." }).catch(() => null)) === null ? null : true;
    await waitFor("the DNS server", isUp, { timeoutMs: startLimitMs });
    await server.switchOn();
    return server;
  }

  /** ADDRESS:PORT of its DNS server. */
  get dnsServer(): string {
    return `127.0.0.1:${this.#ports.dns}`;
  }

  /** A file with its own certificate and the root of those that it gives: whom its clients trust. */
  get trusted(): string {
    return join(this.#home, "trusted.pem");
  }

  /** Starts it, with no memory of an earlier run. */
  async switchOn(): Promise<void> {
    const binaries = await buildPebble(() => undefined);
    this.#log = join(this.#home, `pebble-${performance.now()}.log`);
    this.#pebble = startProcessGroup(
      {
        file: join(binaries, "pebble"),
        words: ["-config", join(this.#home, "pebble.json"), "-dnsserver", this.dnsServer],
      },
      {
        // It would refuse one nonce in twenty, and a request that is repeated for that counts as another order.
        environment: { PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "0" },
        directory: this.#home,
        logFile: this.#log,
        leftovers: sharedLeftovers(),
      },
    );
    const root = await waitFor("Pebble", () => this.#fetchRoot().catch(() => null), { timeoutMs: startLimitMs });
    writeFileSync(this.trusted, `${readFileSync(join(this.#home, "certificate.pem"), "utf8")}${root}`);
  }

  async switchOff(): Promise<void> {
    this.#pebble?.signal("SIGKILL");
    if (this.#pebble !== null) await within("the end of Pebble", startLimitMs, this.#pebble.exited);
    this.#pebble = null;
  }

  /** How many orders it has received since it was switched on. */
  countOrders(): number {
    return readFileSync(this.#log, "utf8").match(/POST \/order-plz/g)?.length ?? 0;
  }

  /** Makes a name lead to an address, or nowhere. */
  async setRecord(name: string, address: string | null): Promise<void> {
    await this.#tellDns("clear-a", { host: `${name}.` });
    if (address !== null) await this.#tellDns("add-a", { host: `${name}.`, addresses: [address] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.switchOff();
    this.#dns.signal("SIGKILL");
    await within("the end of the DNS server", startLimitMs, this.#dns.exited);
    rmSync(this.#home, { recursive: true, force: true });
    sharedLeftovers().forgetPath(this.#home);
  }

  async #tellDns(path: string, body: object): Promise<true> {
    const url = `http://127.0.0.1:${this.#ports.dnsManagement}/${path}`;
    const { status } = await fetch(url, { method: "POST", body: JSON.stringify(body) });
    if (status !== 200) throw new Error(`the DNS server answered ${status} to ${path}`);
    return true;
  }

  async #fetchRoot(): Promise<string> {
    const ca = readFileSync(join(this.#home, "certificate.pem"));
    const asked = request({ host: "127.0.0.1", port: this.#ports.management, path: "/roots/0", ca }).end();
    const [answer]: IncomingMessage[] = await once(asked, "response");
    if (answer === undefined) throw new Error("Pebble has not answered");
    return await readText(answer);
  }
}

function makeProfile(validityPeriod: number) {
  return { description: "for tests", validityPeriod };
}

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { resolveBinary } from "../../../scripts/build/resolve-binary.ts";
import { runCommand } from "../../../scripts/build/run-command.ts";
import { waitFor, within } from "../../../scripts/cli/wait-for.ts";
import type { PreparedBucket } from "../../../scripts/local/bucket-preparation.ts";
import { findFreePorts } from "../../../scripts/local/free-ports.ts";
import { sharedLeftovers } from "../../../scripts/local/leftovers.ts";
import { type ProcessGroup, startProcessGroup } from "../../../scripts/local/process-group.ts";
import type { AcmeServer, EdgePorts } from "./acme-server.ts";

const program = join(import.meta.dirname, "../../../app/edge.ts");
const limitMs = 30_000;

export type EdgeSite = { acme: AcmeServer; ports: EdgePorts; bucket: PreparedBucket; appPort: number };
type Wanted = { domain: string; www?: boolean };
export type Curled = { status: number; headers: string; body: string };

/**
 * The edge of a machine: its real programs and the real Caddy, on a disk of their own, on loopback. The machine's address
 * is 127.0.0.1. The app behind it is the test's own.
 */
export class EdgeMachine implements AsyncDisposable {
  readonly #site: EdgeSite;
  readonly #home = mkdtempSync(join(tmpdir(), "lifeboat-edge-"));
  #caddy: ProcessGroup | null = null;
  #watch: ProcessGroup | null = null;

  private constructor(site: EdgeSite) {
    this.#site = site;
    sharedLeftovers().addPath(this.#home);
    for (const name of ["state", "run"]) mkdirSync(join(this.#home, name));
  }

  /** A machine with an empty disk. */
  static async start(site: EdgeSite, wanted: Wanted): Promise<EdgeMachine> {
    const machine = new EdgeMachine(site);
    await machine.startCaddy(wanted);
    machine.#startWatch(wanted);
    return machine;
  }

  /** As after a reboot: what prepares Caddy runs first. */
  async startCaddy(wanted: Wanted): Promise<void> {
    const environment = this.#environment(wanted);
    await runCommand(process.execPath, [program, "prepare"], { env: environment, timeoutMs: limitMs });
    const words = ["run", "--adapter", "caddyfile", "--config", join(this.#home, "run/Caddyfile")];
    this.#caddy = this.#startGroup("caddy", { file: await resolveBinary("caddy"), words }, environment);
  }

  async stopCaddy(): Promise<void> {
    await end(this.#caddy);
  }

  /** What `up` does with other settings: only the watch is restarted. */
  async change(wanted: Wanted): Promise<void> {
    await end(this.#watch);
    this.#startWatch(wanted);
  }

  readLog(name: "caddy" | "watch"): string {
    return readFileSync(join(this.#home, `${name}.log`), "utf8");
  }

  /** Asks as a stranger would who trusts the ACME server: the certificate must fit. Throws with curl's words when it does not. */
  async curl(url: string, more: readonly string[] = []): Promise<Curled> {
    const { http, https } = this.#site.ports;
    const to = ["80", "443"].map((port) => ["--connect-to", `::127.0.0.1:${port === "80" ? http : https}`]);
    const place = url.startsWith("https") ? (to[1] ?? []) : (to[0] ?? []);
    const words = ["-sS", "-i", "--max-time", "20", "--cacert", this.#site.acme.trusted, ...place, ...more, url];
    const said = await runCommand("curl", words, { timeoutMs: limitMs });
    const [headers = "", ...body] = said.split("\r\n\r\n");
    return { status: Number(/^HTTP\/\S+ (\d+)/.exec(headers)?.[1]), headers, body: body.join("\r\n\r\n") };
  }

  /** Waits until the app answers at a URL, with a certificate that fits. */
  async waitFor(url: string): Promise<Curled> {
    const look = async () => {
      const answer = await this.curl(url).catch(() => null);
      return answer?.status === 200 ? answer : null;
    };
    return await waitFor(`${url}; Caddy: ${this.readLog("caddy").slice(-2_000)}`, look, {
      timeoutMs: limitMs,
      everyMs: 200,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#watch);
    await end(this.#caddy);
    rmSync(this.#home, { recursive: true, force: true });
    sharedLeftovers().forgetPath(this.#home);
  }

  #startWatch(wanted: Wanted): void {
    const command = { file: process.execPath, words: [program, "watch"] };
    this.#watch = this.#startGroup("watch", command, this.#environment(wanted));
  }

  #startGroup(name: string, command: { file: string; words: string[] }, environment: Record<string, string>) {
    const logFile = join(this.#home, `${name}.log`);
    return startProcessGroup(command, { environment, directory: this.#home, logFile, leftovers: sharedLeftovers() });
  }

  #environment({ domain, www = false }: Wanted): Record<string, string> {
    const { acme, ports, bucket, appPort } = this.#site;
    const { config } = bucket;
    return {
      PATH: process.env["PATH"] ?? "",
      HOME: this.#home,
      SSL_CERT_FILE: acme.trusted,
      LIFEBOAT_DOMAIN: domain,
      LIFEBOAT_WWW: String(www),
      LIFEBOAT_IPV4: "127.0.0.1",
      LIFEBOAT_ACME_DIRECTORY: acme.directory,
      LIFEBOAT_DNS_SERVERS: acme.dnsServer,
      LIFEBOAT_HTTP_PORT: String(ports.http),
      LIFEBOAT_HTTPS_PORT: String(ports.https),
      LIFEBOAT_PORT: String(appPort),
      LIFEBOAT_EDGE_STATE_DIR: join(this.#home, "state"),
      LIFEBOAT_EDGE_RUN_DIR: join(this.#home, "run"),
      LIFEBOAT_BUCKET: config.bucket,
      LIFEBOAT_REGION: config.region,
      LIFEBOAT_ENDPOINT: config.endpoint ?? "",
      LIFEBOAT_EDGE_ACCESS_KEY_ID: config.accessKeyId,
      LIFEBOAT_EDGE_SECRET_ACCESS_KEY: config.secretAccessKey,
    };
  }
}

async function end(group: ProcessGroup | null): Promise<void> {
  if (group === null) return;
  group.signal("SIGTERM");
  await within("the end of a process of the edge", limitMs, group.exited);
}

/** What stands for the app: it says who asks, as Caddy tells it. */
export async function startStandIn(): Promise<AsyncDisposable & { port: number }> {
  const server = createServer(({ headers, url }, response) => {
    const { host, "x-forwarded-for": forwardedFor, "x-forwarded-proto": scheme } = headers;
    response.end(JSON.stringify({ url, host, forwardedFor, scheme }));
  });
  const [port = 0] = await findFreePorts(1);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { port, [Symbol.asyncDispose]: close };
}

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { waitFor, within } from "../../../app/cli/wait-for.ts";
import type { BucketConfig } from "../../../app/replica/s3-client.ts";
import { resolveBinary } from "../../../scripts/build/resolve-binary.ts";
import { type CommandFailed, runCommand } from "../../../scripts/build/run-command.ts";
import type { AcmeServer } from "../../../scripts/local/acme-server.ts";
import { findFreePorts } from "../../../scripts/local/free-ports.ts";
import { sharedLeftovers } from "../../../scripts/local/leftovers.ts";
import { type ProcessGroup, startProcessGroup } from "../../../scripts/local/process-group.ts";

const program = join(import.meta.dirname, "../../../app/edge.ts");

/** A machine's edge, with the real Caddy and the program of a release, in front of an app that says what it was asked. */
export class EdgeMachine implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "lifeboat-edge-"));
  readonly #acme: AcmeServer;
  readonly #bucket: BucketConfig;
  readonly #app: Server;
  readonly #port: number;
  #groups: ProcessGroup[] = [];
  #settings: Record<string, string> = {};

  private constructor(acme: AcmeServer, bucket: BucketConfig, port: number) {
    this.#acme = acme;
    this.#bucket = bucket;
    this.#port = port;
    this.#app = createServer(answer).listen(port, "127.0.0.1");
    sharedLeftovers().addPath(this.folder);
  }

  static async make(acme: AcmeServer, bucket: BucketConfig): Promise<EdgeMachine> {
    const [port = 0] = await findFreePorts(1);
    return new EdgeMachine(acme, bucket, port);
  }

  /** Starts prepare, Caddy and watch, as the units do. */
  async start(settings: Record<string, string>): Promise<void> {
    this.#settings = settings;
    mkdirSync(join(this.folder, "state"), { recursive: true });
    mkdirSync(join(this.folder, "run"), { recursive: true, mode: 0o700 });
    await runCommand(process.execPath, [program, "prepare"], { timeoutMs: 60_000, env: this.#environment() });
    const caddy = await resolveBinary("caddy", { say: () => undefined });
    const words = ["run", "--adapter", "caddyfile", "--config", join(this.folder, "run/Caddyfile")];
    this.#groups.push(this.#run(caddy, words, "caddy.log"));
    this.#watch();
    await waitFor("Caddy to listen", async () => ((await this.ask("http://127.0.0.1/")) === null ? null : true), {
      timeoutMs: 20_000,
    });
  }

  /** Gives the running edge other settings: only the watch is restarted. */
  async change(settings: Record<string, string>): Promise<void> {
    this.#settings = settings;
    await this.#end(this.#groups.splice(1));
    this.#watch();
  }

  /** The app is away, and its connections with it. */
  stopApp(): void {
    this.#app.close();
    this.#app.closeAllConnections();
  }

  async stop(): Promise<void> {
    await this.#end(this.#groups.splice(0));
  }

  /** Both disks are new. */
  loseDisks(): void {
    for (const name of ["state", "run"]) rmSync(join(this.folder, name), { recursive: true, force: true });
  }

  /** A request through the door with curl, which trusts what was issued; null when nobody answers or the certificate is not good. */
  async ask(url: string, ...more: string[]): Promise<{ status: number; body: string } | null> {
    const { http, https } = this.#acme.ports;
    const to = ["--connect-to", `::127.0.0.1:${url.startsWith("https") ? https : http}`];
    const root = await this.#acme.writeIssuedRoot().catch(() => join(this.#acme.folder, "issued-root.pem"));
    const words = ["-s", "-m", "5", "--cacert", root, ...to, "-w", "\n%{http_code}", ...more, url];
    try {
      const said = await runCommand("curl", words, { timeoutMs: 10_000 });
      const at = said.lastIndexOf("\n");
      return { status: Number(said.slice(at + 1)), body: said.slice(0, at) };
    } catch (error) {
      if (error instanceof Error && error.name === ("CommandFailed" satisfies CommandFailed["name"])) return null;
      throw error;
    }
  }

  /** Waits until a URL is answered with 200 and a good certificate; returns the milliseconds that it took. */
  async waitUntilServed(url: string): Promise<number> {
    const startedAt = performance.now();
    const probe = async () => ((await this.ask(url))?.status === 200 ? true : null);
    try {
      await waitFor(url, probe, { timeoutMs: 60_000, everyMs: 100 });
    } catch (error) {
      throw new Error(`the edge's last words:\n${this.readLog().slice(-4_000)}`, { cause: error });
    }
    return Math.round(performance.now() - startedAt);
  }

  readLog(): string {
    return ["caddy.log", "watch.log"].map((name) => readFileSync(join(this.folder, name), "utf8")).join("\n");
  }

  readServed(): unknown {
    return JSON.parse(readFileSync(join(this.folder, "state/served.json"), "utf8"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.stopApp();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #watch(): void {
    this.#groups.push(this.#run(process.execPath, [program, "watch"], "watch.log"));
  }

  #run(file: string, words: string[], log: string): ProcessGroup {
    return startProcessGroup(
      { file, words },
      {
        environment: this.#environment(),
        directory: this.folder,
        logFile: join(this.folder, log),
        leftovers: sharedLeftovers(),
      },
    );
  }

  #environment(): Record<string, string> {
    const { bucket, region, endpoint = "", accessKeyId, secretAccessKey } = this.#bucket;
    const { http, https, names } = this.#acme.ports;
    return {
      HOME: this.folder,
      SSL_CERT_FILE: this.#acme.rootFile,
      XDG_DATA_HOME: join(this.folder, "state"),
      LIFEBOAT_EDGE_STATE_DIR: join(this.folder, "state"),
      LIFEBOAT_EDGE_RUN_DIR: join(this.folder, "run"),
      LIFEBOAT_HTTP_PORT: String(http),
      LIFEBOAT_HTTPS_PORT: String(https),
      LIFEBOAT_PORT: String(this.#port),
      LIFEBOAT_DNS_SERVERS: `127.0.0.1:${names}`,
      LIFEBOAT_IPV4: "127.0.0.1",
      LIFEBOAT_ACME_DIRECTORY: this.#acme.directory,
      LIFEBOAT_BUCKET: bucket,
      LIFEBOAT_REGION: region,
      LIFEBOAT_ENDPOINT: endpoint,
      LIFEBOAT_EDGE_ACCESS_KEY_ID: accessKeyId,
      LIFEBOAT_EDGE_SECRET_ACCESS_KEY: secretAccessKey,
      ...this.#settings,
    };
  }

  async #end(groups: ProcessGroup[]): Promise<void> {
    for (const group of groups) group.signal("SIGKILL");
    await within("the end of the edge", 10_000, Promise.all(groups.map(({ exited }) => exited)));
  }
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  if (request.url === "/upload") {
    let bytes = 0;
    request.on("data", (data: Buffer) => (bytes += data.length));
    request.on("end", () => response.end(String(bytes)));
    return;
  }
  if (request.url?.startsWith("/events") !== true)
    return void response.end(JSON.stringify({ path: request.url, headers: request.headers }));
  response.writeHead(200, { "content-type": "text/event-stream" });
  const beat = setInterval(() => response.write(`data: ${Date.now()}\n\n`), 1_000);
  response.on("close", () => clearInterval(beat));
}

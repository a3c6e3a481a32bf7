import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server as HttpServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { join } from "node:path";
import { json } from "node:stream/consumers";

import { type Static, Type } from "typebox";
import { Value } from "typebox/value";

import { listenOnLoopback } from "../../../scripts/local/listen-on-loopback.ts";
import type { Account } from "../aws/account.ts";
import type { Certificate } from "../aws/certificate.ts";
import type { Cloud, Server } from "../hcloud/cloud.ts";
import { bringUp, hostKeyOf, type Machine, reportRefusal, tellHostKeys } from "./bring-up.ts";
import { watchWishes } from "./watch-wishes.ts";

export type Machines = AsyncDisposable &
  Readonly<{
    /** What a shell needs so that its `ssh` reaches them. */
    environment: Record<string, string>;
    searchPath: string;
    /** What was brought up, by the server's id. A new server starts as nothing. */
    running: Map<number, Machine>;
    /** What the next machines say instead of getting ready, and report to the bucket; null for none. */
    refuse(words: string | null): void;
    /** The machines whose services were stopped cleanly, by the server's id. */
    stopped: Set<number>;
    /**
     * What became of their services by such stops, in its order: "stop 1003", and "start 1003" after one that failed.
     */
    serviceCalls: string[];
    /** The verbs that were typed on them, in the order. */
    asked: string[];
    /** What the next machines say when their services are to be stopped; null when they stop cleanly. */
    failStop(words: string | null): void;
    /** From now on a machine serves what a deploy wishes for, as a real one does. */
    hearDeploys(): void;
  }>;

/** What the tests have told the machines to do. */
type Play = { refusal: string | null; stopFailure: string | null; hearsDeploys: boolean };

const SshCommand = Type.Object({
  host: Type.String(),
  script: Type.String(),
  hostKeyAlias: Type.String(),
  /** null: the first contact decides. */
  knownHosts: Type.Union([Type.String(), Type.Null()]),
  stdin: Type.String(),
});

/**
 * Plays the machines behind the servers of the double: whoever logs in to a server's address, or wishes for it in the
 * bucket, brings it to a release, if it runs, has its volume, and its key really fetches that release from the bucket. No
 * unit of ours runs in it.
 */
export async function serveMachines(cloud: Cloud, account: Account): Promise<Machines> {
  const books = openBooks();
  const { running, stopped, serviceCalls, asked } = books;
  const told = new Set<number>();
  const play: Play = { refusal: null, stopFailure: null, hearsDeploys: false };
  const bring = async (server: Server, { script, settings }: { script: string; settings: string }): Promise<void> => {
    if (play.refusal !== null) {
      await reportRefusal({ server, settings, cause: play.refusal }, account);
      throw new Error(play.refusal);
    }
    running.set(server.id, await bringUp({ server, script, settings }, account));
    stopped.delete(server.id);
  };
  const answer = async (body: unknown): Promise<void> => {
    const command = Value.Parse(SshCommand, body);
    const { script, stdin } = command;
    cloud.settle();
    const server = findServer(cloud, command.host);
    verifyHost(server, command);
    if (!told.has(server.id)) await tellHostKeys(server, account);
    told.add(server.id);
    if (script === "true") return;
    if (script.startsWith("lifeboat ")) return void asked.push(script);
    if (script.includes("systemctl stop lifeboat.target")) {
      stopServices({ stopped, serviceCalls }, server, play.stopFailure);
      return;
    }
    await bring(server, { script, settings: stdin });
  };
  await using made = new AsyncDisposableStack();
  const watching = {
    bringUp: bring,
    stop: (server: Server) => stopServices({ stopped, serviceCalls }, server, play.stopFailure),
  };
  made.use(watchWishes({ cloud, account, running, hearsDeploys: () => play.hearsDeploys, ...watching }));
  const web = lookIn({ cloud, running, stopped });
  const listener = made.use(await listenOnLoopback(makeServer({ answer, ...web, certificate: account.certificate })));
  const ended = made.move();
  return {
    environment: sshEnvironment(listener.url),
    searchPath: join(import.meta.dirname, "bin"),
    ...books,
    refuse: (words) => (play.refusal = words),
    failStop: (words) => (play.stopFailure = words),
    hearDeploys: () => (play.hearsDeploys = true),
    [Symbol.asyncDispose]: () => ended.disposeAsync(),
  };
}

function openBooks(): Pick<Machines, "running" | "stopped" | "serviceCalls" | "asked"> {
  return { running: new Map(), stopped: new Set(), serviceCalls: [], asked: [] };
}

function sshEnvironment(url: string): Record<string, string> {
  const program = join(import.meta.dirname, "ssh.ts");
  return { LIFEBOAT_TEST_NODE: process.execPath, LIFEBOAT_TEST_SSH: program, LIFEBOAT_TEST_MACHINES: url };
}

/** What scripts/remote/stop-services.sh does: who did not stop well is started again. Throws the failure. */
function stopServices(
  { stopped, serviceCalls }: Pick<Machines, "stopped" | "serviceCalls">,
  { id }: Server,
  failure: string | null,
): void {
  serviceCalls.push(`stop ${id}`);
  stopped.add(id);
  if (failure === null) return;
  serviceCalls.push(`start ${id}`);
  stopped.delete(id);
  throw new Error(failure);
}

/** What the web sees of the machines. */
function lookIn({
  cloud,
  running,
  stopped,
}: Pick<Machines, "running" | "stopped"> & { cloud: Cloud }): Pick<Behaviour, "isReady" | "listens"> {
  const findHost = (host: string) =>
    [...cloud.servers.values()].find(({ id, public_net }) => {
      return public_net.ipv4?.ip === host || running.get(id)?.edge["LIFEBOAT_DOMAIN"] === host;
    });
  return {
    isReady: ({ url = "", headers }) => {
      const { hostname, pathname } = new URL(url, `http://${headers.host}`);
      const server = findHost(hostname);
      const serves = server?.status === "running" && running.has(server.id) && !stopped.has(server.id);
      return pathname === "/ready" && serves;
    },
    // As Caddy does: plain HTTP only where there is no domain, for it leads to HTTPS elsewhere.
    listens: (host, port) => {
      const { id = 0 } = findHost(host) ?? {};
      return port === (running.get(id)?.edge["LIFEBOAT_DOMAIN"] === "none" ? "80" : "443");
    },
  };
}

type Behaviour = Readonly<{
  answer(command: unknown): Promise<void>;
  isReady(request: IncomingMessage): boolean;
  /** Whether something answers at a host's port. */
  listens(host: string, port: string): boolean;
  certificate: Certificate;
}>;

/**
 * One HTTP server for two clients: `ssh` posts its commands to it, and requests to the machines' URLs use it as a
 * proxy.
 */
function makeServer({ answer, isReady, listens, certificate }: Behaviour): HttpServer {
  const serve: RequestListener = (request, response) => {
    if (request.method === "GET") {
      const ready = isReady(request);
      const health = { status: ready ? "ready" : "refusing-writes", state: "living", uploadProgress: null };
      response.writeHead(ready ? 200 : 503).end(JSON.stringify(health));
      return;
    }
    void json(request)
      .then(answer)
      .then(
        () => response.writeHead(200).end(),
        (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.message : String(error)),
      );
  };
  const server = createServer(serve);
  const files = { cert: readFileSync(certificate.path), key: readFileSync(certificate.keyPath) };
  const secure = createSecureServer(files, serve);
  // The tunnel leads back to this server; the Host header names the machine.
  server.on("connect", ({ url = "" }, socket) => {
    const [host = "", port = ""] = url.split(":");
    if (!listens(host, port)) {
      socket.destroy();
      return;
    }
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    (port === "443" ? secure : server).emit("connection", socket);
  });
  return server;
}

/** What ssh does with the key of a host. */
function verifyHost(server: Server, { hostKeyAlias, knownHosts }: Static<typeof SshCommand>): void {
  if (hostKeyAlias !== `lifeboat-${server.id}`)
    throw new Error(`host key of ${hostKeyAlias} is not that of ${server.id}`);
  if (knownHosts !== null && knownHosts !== `${hostKeyAlias} ${hostKeyOf(server)}\n`)
    throw new Error("Host key verification failed.");
}

function findServer(cloud: Cloud, host: string): Server {
  const [user, ip] = host.split("@");
  const server = [...cloud.servers.values()].find(({ public_net }) => public_net.ipv4?.ip === ip);
  if (server === undefined || server.status !== "running") throw new Error(`connect to host ${ip}: Connection refused`);
  if (user !== "root") throw new Error(`${user}@${ip}: Permission denied (publickey)`);
  return server;
}

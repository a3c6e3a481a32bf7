import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";

import { listenOnLoopback } from "../../../scripts/local/listen-on-loopback.ts";
import { answerRequest } from "./answer-request.ts";
import { Cloud, type Hardware, type Kind } from "./cloud.ts";
import { Refusal } from "./refusal.ts";
import type { CloudAnswer, CloudRequest } from "./request.ts";

/** One request that changes something: `POST servers/app/actions/shutdown`, and how it was answered. */
type CloudCall = Readonly<{ call: string; status: number }>;

export type ServedCloud = AsyncDisposable &
  Readonly<{
    /** For the provider's `endpoint`. */
    endpoint: string;
    /** The only one that is accepted. */
    readonly token: string;
    /** Revokes the token for a new one. */
    rotateToken(): void;
    cloud: Cloud;
    calls: CloudCall[];
  }>;

type Request = CloudRequest & Readonly<{ authorization: string }>;

/**
 * Serves a double of the Hetzner Cloud API on a free loopback port: state in memory, actions that take a moment and
 * lock what they work on, and the rules that the real API answers with. What it does not know answers 404. Its servers
 * are names and numbers, unless there is hardware behind them.
 */
export async function serveHcloud(hardware?: Hardware): Promise<ServedCloud> {
  const cloud = new Cloud(hardware);
  let token = "t".repeat(64);
  const calls: CloudCall[] = [];
  const answer = async (incoming: IncomingMessage): Promise<CloudAnswer> => {
    const request = await readRequest(incoming);
    const call = describeCall(cloud, request);
    const answered = answer429(cloud) ?? answerAuthorized(cloud, request, token);
    if (request.method !== "GET") calls.push({ call, status: answered.status });
    return answered;
  };
  const server = createServer((incoming, outgoing) => void sendAnswer(answer(incoming), outgoing));
  const listener = await listenOnLoopback(server);
  const dispose = () => listener[Symbol.asyncDispose]();
  return {
    endpoint: `${listener.url}/v1`,
    get token() {
      return token;
    },
    rotateToken: () => (token = randomUUID().replaceAll("-", "").repeat(2)),
    cloud,
    calls,
    [Symbol.asyncDispose]: dispose,
  };
}

async function sendAnswer(answer: Promise<CloudAnswer>, outgoing: ServerResponse): Promise<void> {
  const { status, body } = await answer.catch((error: unknown) => refuse(500, "server_error", String(error)));
  outgoing.writeHead(status, { "content-type": "application/json" });
  outgoing.end(status === 204 ? undefined : JSON.stringify(body));
}

async function readRequest(incoming: IncomingMessage): Promise<Request> {
  const { method = "GET", url = "/", headers } = incoming;
  const body: unknown = Number(headers["content-length"] ?? 0) > 0 ? await json(incoming) : {};
  return { method, url: new URL(url, "http://localhost"), body, authorization: headers.authorization ?? "" };
}

function answer429(cloud: Cloud): CloudAnswer | null {
  const { faults } = cloud;
  if (faults.rateLimited === 0) return null;
  cloud.faults = { ...faults, rateLimited: faults.rateLimited - 1 };
  return refuse(429, "rate_limit_exceeded", "limit of requests per hour reached");
}

function answerAuthorized(cloud: Cloud, request: Request, token: string): CloudAnswer {
  if (request.authorization !== `Bearer ${token}`) {
    return refuse(401, "unauthorized", "unable to authenticate");
  }
  if (cloud.faults.brokenRequests.includes(`${request.method} ${request.url.pathname.split("/")[2]}`)) {
    return refuse(500, "server_error", "a fault that the test ordered");
  }
  try {
    cloud.settle();
    return answerRequest(cloud, request);
  } catch (error) {
    if (error instanceof Refusal) return refuse(error.status, error.code, error.message);
    throw error;
  }
}

function refuse(status: number, code: string, message: string): CloudAnswer {
  return { status, body: { error: { code, message, details: null } } };
}

/** Names instead of ids, so that a test reads like the story of the replacement. */
function describeCall(cloud: Cloud, { method, url, body }: Request): string {
  const [, , kind = "", id, ...rest] = url.pathname.split("/");
  const name = id === undefined ? readName(body) : nameOf(cloud, kind, id);
  return `${method} ${[kind, name, ...rest].filter((part) => part !== "").join("/")}`;
}

function nameOf(cloud: Cloud, kind: string, id: string): string {
  return isKind(kind) ? (cloud[kind].get(Number(id))?.name ?? id) : id;
}

function readName(body: unknown): string {
  const named = typeof body === "object" && body !== null && "name" in body;
  return named && typeof body.name === "string" ? body.name : "";
}

function isKind(kind: string): kind is Kind {
  return ["ssh_keys", "firewalls", "primary_ips", "volumes", "servers"].includes(kind);
}

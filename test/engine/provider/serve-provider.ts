import { promisify } from "node:util";

import grpc from "@grpc/grpc-js";
import type { handleUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import services from "@pulumi/pulumi/proto/provider_grpc_pb.js";

import { answerInvoke } from "./answer-invoke.ts";
import { answerCheck, answerCreate, answerDelete, answerDiff, answerRead, answerUpdate } from "./answer-resource.ts";
import {
  answerAttach,
  answerCancel,
  answerConfigure,
  answerPluginInfo,
  echoConfig,
  keepConfig,
} from "./answer-set-up.ts";
import type { ProviderCall, Provider } from "./resource.ts";

export type ServedProvider = AsyncDisposable & Readonly<{ port: number }>;

/**
 * Serves a stand-in on a free loopback port, where the engine finds it through PULUMI_DEBUG_PROVIDERS. It outlives the
 * engine's processes, so its cloud keeps its memory from one `up` to the next. Records every change in `calls`.
 */
export async function serveProvider(provider: Provider, calls: ProviderCall[]): Promise<ServedProvider> {
  const scope = { ...provider, calls };
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  // What is missing here answers UNIMPLEMENTED, and the engine can do without it.
  server.addService(services.ResourceProviderService, {
    getPluginInfo: answering(() => answerPluginInfo(provider.version)),
    attach: answering(answerAttach),
    cancel: answering(answerCancel),
    checkConfig: answering(echoConfig),
    diffConfig: answering(keepConfig),
    configure: answering(answerConfigure),
    check: answering((request) => answerCheck(scope, request)),
    diff: answering((request) => answerDiff(scope, request)),
    create: answering((request) => answerCreate(scope, request)),
    read: answering((request) => answerRead(scope, request)),
    update: answering((request) => answerUpdate(scope, request)),
    delete: answering((request) => answerDelete(scope, request)),
    invoke: answering((request) => answerInvoke(scope, request)),
  });
  const credentials = grpc.ServerCredentials.createInsecure();
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", credentials);
  return {
    port,
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}

/** Turns "request in, answer or error out" into what grpc calls. */
function answering<Request, Answer>(answer: (request: Request) => Promise<Answer>): handleUnaryCall<Request, Answer> {
  return (call, callback) => void answerCall(answer(call.request), callback);
}

async function answerCall<Answer>(answer: Promise<Answer>, callback: sendUnaryData<Answer>): Promise<void> {
  const outcome = await settle(answer);
  if ("answered" in outcome) callback(null, outcome.answered);
  else callback({ code: grpc.status.UNKNOWN, details: outcome.details });
}

async function settle<Answer>(answer: Promise<Answer>): Promise<{ answered: Answer } | { details: string }> {
  try {
    return { answered: await answer };
  } catch (error) {
    return { details: error instanceof Error ? error.message : String(error) };
  }
}

import messages from "@pulumi/pulumi/proto/provider_pb.js";
import type { InvokeRequest, InvokeResponse } from "@pulumi/pulumi/proto/provider_pb.js";

import { readStruct, writeStruct } from "./properties.ts";
import type { Provider } from "./resource.ts";

export async function answerInvoke(provider: Provider, request: InvokeRequest): Promise<InvokeResponse> {
  const answer = provider.functions?.[request.getTok()];
  if (answer === undefined) throw new Error(`the stand-in has no function ${request.getTok()}`);
  return new messages.InvokeResponse().setReturn(writeStruct(await answer(readStruct(request.getArgs()))));
}

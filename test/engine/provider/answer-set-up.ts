import plugins from "@pulumi/pulumi/proto/plugin_pb.js";
import type { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb.js";
import messages from "@pulumi/pulumi/proto/provider_pb.js";
import type { CheckRequest, CheckResponse, ConfigureResponse, DiffResponse } from "@pulumi/pulumi/proto/provider_pb.js";
import empties from "google-protobuf/google/protobuf/empty_pb.js";
import type { Empty } from "google-protobuf/google/protobuf/empty_pb.js";

export async function answerPluginInfo(version: string): Promise<PluginInfo> {
  return new plugins.PluginInfo().setVersion(version);
}

export async function answerAttach(): Promise<Empty> {
  return new empties.Empty();
}

export async function answerCancel(): Promise<Empty> {
  return new empties.Empty();
}

export async function echoConfig(request: CheckRequest): Promise<CheckResponse> {
  return new messages.CheckResponse().setInputs(request.getNews());
}

export async function keepConfig(): Promise<DiffResponse> {
  return new messages.DiffResponse().setChanges(messages.DiffResponse.DiffChanges.DIFF_NONE);
}

/**
 * Like the real aws provider, it takes no secrets: the engine hands values over in clear, and marks outputs of the
 * same name as secret again.
 */
export async function answerConfigure(): Promise<ConfigureResponse> {
  return new messages.ConfigureResponse().setAcceptsecrets(false).setSupportspreview(false);
}

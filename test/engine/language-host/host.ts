// The engine starts this with its own address, reads a port from the first line of stdout, and calls the
// LanguageRuntime service there. It stands in for Pulumi's own nodejs host, which is not to be had as a Go module;
// the program itself is run by the SDK's own entry, @pulumi/pulumi/cmd/run.
import { promisify } from "node:util";

import grpc from "@grpc/grpc-js";
import type { sendUnaryData } from "@grpc/grpc-js";
import sdk from "@pulumi/pulumi/package.json" with { type: "json" };
import services from "@pulumi/pulumi/proto/language_grpc_pb.js";
import languages from "@pulumi/pulumi/proto/language_pb.js";
import plugins from "@pulumi/pulumi/proto/plugin_pb.js";
import empties from "google-protobuf/google/protobuf/empty_pb.js";

import { Programs } from "./programs.ts";

const engineAddress = process.argv.slice(2).find((word) => !word.startsWith("-")) ?? "";
const programs = new Programs(engineAddress);

const server = new grpc.Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
server.addService(services.LanguageRuntimeService, {
  handshake: always(() => new languages.LanguageHandshakeResponse()),
  // Nothing is required in advance: the engine finds a plugin when the program asks for it.
  getRequiredPackages: always(() => new languages.GetRequiredPackagesResponse()),
  getRequiredPlugins: always(() => new languages.GetRequiredPluginsResponse()),
  getPluginInfo: always(() => new plugins.PluginInfo().setVersion(sdk.version)),
  about: always(() => new languages.AboutResponse().setExecutable(process.execPath).setVersion(process.version)),
  getProgramDependencies: always(() => new languages.GetProgramDependenciesResponse()),
  runtimeOptionsPrompts: always(() => new languages.RuntimeOptionsResponse()),
  // `npm ci` is the caller's business.
  installDependencies: (call: { end(): void }) => call.end(),
  run: programs.run,
  runPlugin: programs.runPlugin,
  cancel: always(() => {
    programs.interrupt();
    return new empties.Empty();
  }),
});
const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", grpc.ServerCredentials.createInsecure());
process.stdout.write(`${port}\n`);

function always<Answer>(answer: () => Answer) {
  return (_call: unknown, callback: sendUnaryData<Answer>) => callback(null, answer());
}

import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";

import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import languages from "@pulumi/pulumi/proto/language_pb.js";
import type {
  ProgramInfo,
  RunPluginRequest,
  RunPluginResponse,
  RunRequest,
  RunResponse,
} from "@pulumi/pulumi/proto/language_pb.js";
import { Type } from "typebox";
import { Value } from "typebox/value";

const RuntimeOptions = Type.Object({
  typescript: Type.Optional(Type.Boolean()),
  nodeargs: Type.Optional(Type.String()),
});

// The exit code of the SDK's cmd/run after it has printed what went wrong.
const alreadyReported = 32;

/** The programs and policy packs that one engine runs. */
export class Programs {
  readonly #engineAddress: string;
  readonly #children = new Set<ChildProcess>();

  constructor(engineAddress: string) {
    this.#engineAddress = engineAddress;
  }

  /** Runs the project's program once, for a preview or an update. */
  readonly run = (call: ServerUnaryCall<RunRequest, RunResponse>, answer: sendUnaryData<RunResponse>): void => {
    const { request } = call;
    const info = readInfo(request);
    const words = [...info.nodeWords, info.entryOf("run"), ...programWords(request, this.#engineAddress, info.program)];
    const child = spawn(process.execPath, words, {
      cwd: request.getPwd() || info.directory,
      env: { ...process.env, ...programEnvironment(request, info.typescript) },
      stdio: ["ignore", "inherit", "inherit"],
    });
    this.#children.add(child);
    child.once("error", (error) => answer(null, new languages.RunResponse().setError(error.message)));
    child.once("exit", (code, signal) => {
      this.#children.delete(child);
      const response = new languages.RunResponse();
      if (code === alreadyReported) response.setBail(true);
      else if (code !== 0) response.setError(`the program ended with ${signal ?? `exit code ${code}`}`);
      answer(null, response);
    });
  };

  /** Runs a plugin that is written in TypeScript: a policy pack ("analyzer") or a provider. */
  readonly runPlugin = (call: ServerWritableStream<RunPluginRequest, RunPluginResponse>): void => {
    const { request } = call;
    const info = readInfo(request);
    const isPolicyPack = request.getKind() === "analyzer";
    const words = isPolicyPack
      ? [info.entryOf("run-policy-pack"), ...request.getArgsList(), info.directory]
      : [info.entryOf("run-plugin"), info.directory, ...request.getArgsList()];
    const child = spawn(process.execPath, [...info.nodeWords, ...words], {
      // A policy pack reads package.json from its working directory.
      cwd: isPolicyPack ? info.directory : request.getPwd() || info.directory,
      env: { ...process.env, ...Object.fromEntries(request.getEnvList().map(splitVariable)) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#children.add(child);
    child.stdout.on("data", (data: Buffer) => call.write(new languages.RunPluginResponse().setStdout(data)));
    child.stderr.on("data", (data: Buffer) => call.write(new languages.RunPluginResponse().setStderr(data)));
    call.on("cancelled", () => child.kill());
    child.once("close", (code) => {
      this.#children.delete(child);
      call.write(new languages.RunPluginResponse().setExitcode(code ?? 1));
      call.end();
    });
  };

  interrupt(): void {
    for (const child of this.#children) child.kill("SIGINT");
  }
}

function readInfo(request: { getInfo(): ProgramInfo | undefined }) {
  const info = request.getInfo();
  if (info === undefined) throw new Error("the engine did not say where the program is");
  const directory = info.getProgramDirectory();
  const options = Value.Parse(RuntimeOptions, info.getOptions()?.toJavaScript() ?? {});
  const { resolve } = createRequire(join(directory, "package.json"));
  return {
    directory,
    program: info.getEntryPoint(),
    typescript: options.typescript ?? false,
    nodeWords: (options.nodeargs ?? "").split(/\s+/).filter((word) => word !== ""),
    /** The SDK's own entry for a program, a policy pack or a plugin. */
    entryOf: (name: string) => resolve(`@pulumi/pulumi/cmd/${name}`),
    root: info.getRootDirectory(),
  };
}

function programWords(request: RunRequest, engine: string, program: string): string[] {
  const flags = {
    monitor: request.getMonitorAddress(),
    engine,
    project: request.getProject(),
    stack: request.getStack(),
    organization: request.getOrganization(),
    "root-directory": request.getInfo()?.getRootDirectory() ?? "",
    pwd: request.getPwd(),
    parallel: String(request.getParallel()),
  };
  const given = Object.entries(flags).filter(([, value]) => value !== "");
  const mode = request.getDryrun() ? ["--dry-run"] : [];
  return [...given.map(([name, value]) => `--${name}=${value}`), ...mode, program, ...request.getArgsList()];
}

function programEnvironment(request: RunRequest, typescript: boolean): Record<string, string> {
  return {
    PULUMI_CONFIG: JSON.stringify(Object.fromEntries(request.getConfigMap().entries())),
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    PULUMI_NODEJS_TYPESCRIPT: String(typescript),
  };
}

function splitVariable(variable: string): [string, string] {
  const equals = variable.indexOf("=");
  return [variable.slice(0, equals), variable.slice(equals + 1)];
}

import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";
import { vi } from "vitest";

/** A resource as the program registered it, with the options that mocks do not see. */
export type RecordedResource = {
  type: string;
  name: string;
  inputs: Record<string, unknown>;
  parent: string;
  protect: boolean;
  retainOnDelete: boolean;
  deleteBeforeReplace: boolean;
  ignoreChanges: string[];
  replaceOnChanges: string[];
  importId: string;
  provider: string;
  dependencies: string[];
  replacementTrigger: unknown;
};

export type RecordedStack = { calls: string[]; listResources: () => RecordedResource[] };

export type World = {
  config: Record<string, string>;
  secrets?: string[];
  /** The bucket exists at AWS already. */
  bucketExists?: boolean;
  /** What Hetzner lists. */
  volumes?: Listed[];
  addresses?: (Listed & { assigneeId: number; type: string })[];
  /** The zone that is there, with its records. */
  zone?: {
    name: string;
    mode: string;
    rrsets: { name: string; type: string; labels: Record<string, string>; records: { value: string }[] }[];
  };
  servers?: (Listed & { serverType: string; ipv6Address?: string })[];
  sshKeys?: (Omit<Listed, "location"> & { publicKey: string })[];
  /** Types that no location has. */
  soldOut?: string[];
};

type Listed = { id: number; name: string; location: string; labels: Record<string, string> };

export const accountId = "123456789012";

/** Turns Pulumi's engine into a recorder. To be called before the program is imported; one program a test file. */
export async function recordStack(world: World): Promise<RecordedStack> {
  const registrations = vi.spyOn(MockMonitor.prototype, "registerResource");
  const calls: string[] = [];
  pulumi.runtime.setAllConfig(world.config, world.secrets ?? []);
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => ({
        id: idOf(type, name),
        state: { ...inputs, ...computed(type, name, world) },
      }),
      call: ({ token }) => {
        calls.push(token);
        return answer(token, world);
      },
    },
    "lifeboat",
    "test",
    false,
  );
  return { calls, listResources: () => registrations.mock.calls.map(([request]) => toRecord(request)) };
}

function toRecord(request: Parameters<MockMonitor["registerResource"]>[0]): RecordedResource {
  return {
    type: request.getType(),
    name: request.getName(),
    inputs: request.getObject()?.toJavaScript() ?? {},
    parent: request.getParent(),
    protect: request.getProtect(),
    retainOnDelete: request.getRetainondelete(),
    deleteBeforeReplace: request.getDeletebeforereplace(),
    ignoreChanges: request.getIgnorechangesList(),
    replaceOnChanges: request.getReplaceonchangesList(),
    importId: request.getImportid(),
    provider: request.getProvider(),
    dependencies: request.getDependenciesList(),
    replacementTrigger: request.getReplacementTrigger()?.toJavaScript(),
  };
}

function idOf(type: string, name: string): string {
  return type.startsWith("hcloud:") ? "4711" : `${name}-id`;
}

const ipv6OfServer = "2001:db8:9::1";

function computed(type: string, name: string, { servers = [] }: World): Record<string, unknown> {
  if (type === "hcloud:index/primaryIp:PrimaryIp")
    return { ipAddress: name.endsWith("-ipv6") ? "2001:db8:9::" : "203.0.113.9" };
  if (type === "hcloud:index/server:Server") return { ipv6Address: servers[0]?.ipv6Address ?? ipv6OfServer };
  if (type === "aws:iam/user:User") return { name: `${name}-user` };
  if (type === "aws:iam/accessKey:AccessKey") return { secret: `secret-of-${name}` };
  if (name === "settings-key") return { stdout: `${"5ea1".repeat(16)}\n` };
  if (type === "command:local:Command") return { stdout: `printed-by-${name}\n` };
  return {};
}

function answer(token: string, world: World): Record<string, unknown> {
  switch (token) {
    case "aws:index/getCallerIdentity:getCallerIdentity":
      return { accountId };
    case "aws:s3/getBucket:getBucket":
      return answerGetBucket(world);
    case "hcloud:index/getVolumes:getVolumes":
      return { volumes: world.volumes ?? [] };
    case "hcloud:index/getPrimaryIps:getPrimaryIps":
      return { primaryIps: world.addresses ?? [] };
    case "hcloud:index/getZone:getZone":
      return answerGetZone(world);
    case "hcloud:index/getZoneRrsets:getZoneRrsets":
      return { rrsets: world.zone?.rrsets ?? [] };
    case "hcloud:index/getServers:getServers":
      return { servers: (world.servers ?? []).map(listServer) };
    case "hcloud:index/getSshKeys:getSshKeys":
      return { sshKeys: world.sshKeys ?? [] };
    case "hcloud:index/getServerTypes:getServerTypes":
      return { serverTypes: ["cx33", "cax21", "cpx32"].map((name) => offerOf(name, world.soldOut ?? [])) };
    default:
      throw new Error(`${token} was not expected`);
  }
}

function listServer(server: NonNullable<World["servers"]>[number]): Record<string, unknown> {
  return { ipv6Address: ipv6OfServer, ...server };
}

function answerGetBucket({ bucketExists = false }: World): Record<string, unknown> {
  if (bucketExists) return {};
  const details = "reading S3 Bucket (x): couldn't find resource";
  throw Object.assign(new Error(details), { details });
}

function answerGetZone({ zone }: World): Record<string, unknown> {
  if (zone !== undefined) return zone;
  const details = "Resource (zone) was not found: name=x";
  throw Object.assign(new Error(details), { details });
}

function offerOf(name: string, soldOut: readonly string[]) {
  const locations = ["fsn1", "hel1"].map((location) => ({ name: location, available: !soldOut.includes(name) }));
  return { name, cores: 4, locations };
}

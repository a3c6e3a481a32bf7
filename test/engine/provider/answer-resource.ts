import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

import messages from "@pulumi/pulumi/proto/provider_pb.js";
import type {
  CheckRequest,
  CheckResponse,
  CreateRequest,
  CreateResponse,
  DeleteRequest,
  DiffRequest,
  DiffResponse,
  ReadRequest,
  ReadResponse,
  UpdateRequest,
  UpdateResponse,
} from "@pulumi/pulumi/proto/provider_pb.js";
import empties from "google-protobuf/google/protobuf/empty_pb.js";
import type { Empty } from "google-protobuf/google/protobuf/empty_pb.js";

import { type Properties, readStruct, writeStruct } from "./properties.ts";
import type { ProviderCall, Resource } from "./resource.ts";

type Scope = Readonly<{ resources: Readonly<Record<string, Resource>>; calls: ProviderCall[] }>;
type Subject = Readonly<{ resource: Resource; type: string; name: string }>;

export async function answerCheck(scope: Scope, request: CheckRequest): Promise<CheckResponse> {
  const { resource } = findSubject(scope, request);
  const given = { ...resource.defaults, ...withoutDefaults(readStruct(request.getNews())) };
  const inputs = { ...chooseName(scope, request), ...given };
  const failures = (resource.complain?.(inputs) ?? []).map(({ property, reason }) =>
    new messages.CheckFailure().setProperty(property).setReason(reason),
  );
  return new messages.CheckResponse().setInputs(writeStruct(inputs)).setFailuresList(failures);
}

export async function answerDiff(scope: Scope, request: DiffRequest): Promise<DiffResponse> {
  const { resource } = findSubject(scope, request);
  const olds = readStruct(request.getOldInputs());
  const news = readStruct(request.getNews());
  const ignored = new Set(request.getIgnorechangesList());
  const names = [...new Set([...Object.keys(olds), ...Object.keys(news)])];
  const changed = names.filter((name) => !ignored.has(name) && !isDeepStrictEqual(olds[name], news[name]));
  const { DIFF_NONE, DIFF_SOME } = messages.DiffResponse.DiffChanges;
  return new messages.DiffResponse()
    .setChanges(changed.length === 0 ? DIFF_NONE : DIFF_SOME)
    .setDiffsList(changed)
    .setReplacesList(changed.filter((name) => resource.replaceOn.includes(name)))
    .setDeletebeforereplace(resource.deleteBeforeReplace === true);
}

export async function answerCreate(scope: Scope, request: CreateRequest): Promise<CreateResponse> {
  const { resource } = noteCall(scope, request, "create");
  const inputs = readStruct(request.getProperties());
  const { id, state } = await resource.create(inputs);
  return new messages.CreateResponse().setId(id).setProperties(writeStruct({ ...inputs, ...state }));
}

/** For a refresh, and for an `import`, which has no inputs yet: there the state is all that is known. */
export async function answerRead(scope: Scope, request: ReadRequest): Promise<ReadResponse> {
  const { resource } = findSubject(scope, request);
  const known = readStruct(request.getProperties());
  const state = resource.read === undefined ? known : await resource.read(request.getId(), known);
  // An answer without an id says that the resource is gone.
  if (state === null) return new messages.ReadResponse();
  const inputs = readStruct(request.getInputs());
  const isImport = Object.keys(inputs).length === 0;
  const refreshed = () => ({ ...refreshInputs(inputs, state), ...resource.refreshedInputs?.(state) });
  const found = isImport ? importInputs(scope, request, state) : refreshed();
  return new messages.ReadResponse()
    .setId(request.getId())
    .setProperties(writeStruct({ ...known, ...state }))
    .setInputs(writeStruct(found));
}

export async function answerUpdate(scope: Scope, request: UpdateRequest): Promise<UpdateResponse> {
  const { resource, type } = noteCall(scope, request, "update");
  if (resource.update === undefined) throw new Error(`the stand-in cannot change a ${type}`);
  const inputs = readStruct(request.getNews());
  const state = readStruct(request.getOlds());
  const updated = await resource.update(request.getId(), inputs, state);
  return new messages.UpdateResponse().setProperties(writeStruct({ ...state, ...inputs, ...updated }));
}

export async function answerDelete(scope: Scope, request: DeleteRequest): Promise<Empty> {
  const { resource } = noteCall(scope, request, "delete");
  await resource.delete(request.getId(), readStruct(request.getProperties()));
  return new empties.Empty();
}

function findSubject(scope: Scope, request: { getUrn(): string; getType(): string }): Subject {
  // urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME
  const [, , types = "", name = ""] = request.getUrn().split("::");
  const type = request.getType() || (types.split("$").at(-1) ?? "");
  const resource = scope.resources[type];
  if (resource === undefined) throw new Error(`the stand-in does not know ${type}`);
  return { resource, type, name };
}

function noteCall(scope: Scope, request: { getUrn(): string; getType(): string }, verb: ProviderCall["verb"]): Subject {
  const subject = findSubject(scope, request);
  scope.calls.push({ verb, type: subject.type, name: subject.name });
  return subject;
}

/** "access-machine-4f2a91c", kept as long as the resource lives, as the Terraform bridge does it. */
function chooseName(scope: Scope, request: CheckRequest): Properties {
  const { resource, name } = findSubject(scope, request);
  if (resource.namedBy === undefined) return {};
  const standing = readStruct(request.getOlds())[resource.namedBy];
  return { [resource.namedBy]: standing ?? `${name}-${randomBytes(4).toString("hex").slice(1)}` };
}

// The SDK's own bookkeeping of the real provider's defaults.
function withoutDefaults(inputs: Properties): Properties {
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => name !== "__defaults"));
}

function importInputs(scope: Scope, request: ReadRequest, state: Properties): Properties {
  const { resource, type } = findSubject(scope, request);
  if (resource.importedInputs === undefined) throw new Error(`the stand-in cannot import a ${type}`);
  return resource.importedInputs(request.getId(), state);
}

function refreshInputs(inputs: Properties, state: Properties): Properties {
  return Object.fromEntries(Object.keys(inputs).map((name) => [name, state[name] ?? inputs[name] ?? null]));
}

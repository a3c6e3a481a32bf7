import { Type } from "typebox";

import { images, listServerTypes, locations } from "./catalogue.ts";
import { type Cloud, demand } from "./cloud.ts";
import { firewallShelf } from "./firewalls.ts";
import { primaryIpShelf } from "./primary-ips.ts";
import { readBody, Refusal } from "./refusal.ts";
import { serverShelf } from "./servers.ts";
import type { Shelf } from "./shelf.ts";
import { sshKeyShelf } from "./ssh-keys.ts";
import { volumeShelf } from "./volumes.ts";
import { answerZone } from "./zones.ts";

export type CloudRequest = Readonly<{ method: string; url: URL; body: unknown }>;
export type CloudAnswer = Readonly<{ status: number; body: unknown }>;

/** The parts of /v1/KIND/ID/actions/VERB. */
type Path = Readonly<{ kind: string; id: string | undefined; verb: string | undefined }>;
type Thing = Readonly<{
  id: number;
  name?: string;
  architecture?: string;
  fingerprint?: string;
  status?: string;
  labels?: Record<string, string>;
}>;

/** Routes a request: the catalogue, the actions, the five kinds of things, and the zones. Throws a Refusal. */
export function answerRequest(cloud: Cloud, request: CloudRequest): CloudAnswer {
  const [, , kind = "", id, part, verb] = request.url.pathname.split("/");
  // GET /servers/ID/actions/ACTION is the provider's older way to ask for an action.
  const asksForAction = part === "actions" && request.method === "GET";
  const path = asksForAction ? { kind: "actions", id: verb, verb: undefined } : { kind, id, verb };
  switch (path.kind) {
    case "locations":
      return answerReading("location", locations, { path, request });
    case "server_types":
      return answerReading("server_type", listServerTypes(cloud.faults.soldOut), { path, request });
    case "images":
      return answerReading("image", images, { path, request });
    case "actions":
      return answerReading("action", [...cloud.actions.values()], { path, request });
    case "servers":
      return answerThing(cloud, serverShelf, { path, request });
    case "volumes":
      return answerThing(cloud, volumeShelf, { path, request });
    case "primary_ips":
      return answerThing(cloud, primaryIpShelf, { path, request });
    case "firewalls":
      return answerThing(cloud, firewallShelf, { path, request });
    case "zones":
      return answerZone(cloud, request);
    case "ssh_keys":
      return answerThing(cloud, sshKeyShelf, { path, request });
    default:
      throw new Refusal(404, "not_found", `this double has no ${kind}`);
  }
}

const Changes = Type.Object({
  name: Type.Optional(Type.String({ minLength: 1 })),
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
  auto_delete: Type.Optional(Type.Boolean()),
});

type Asked = Readonly<{ path: Path; request: CloudRequest }>;

function answerThing<T extends Thing>(cloud: Cloud, shelf: Shelf<T>, { path, request }: Asked): CloudAnswer {
  const { one, act } = shelf;
  const { method, body } = request;
  const table = shelf.tableOf(cloud);
  if (method === "GET") return answerReading(one, [...table.values()], { path, request });
  if (path.id === undefined) return { status: 201, body: shelf.create(cloud, body) };
  const thing = demand(table, Number(path.id), one);
  if (method === "POST" && path.verb !== undefined && act !== undefined) {
    return { status: 201, body: act(cloud, thing, { verb: path.verb, body }) };
  }
  if (method === "PUT") return { status: 200, body: { [one]: Object.assign(thing, readBody(Changes, body)) } };
  if (method !== "DELETE") throw new Refusal(404, "not_found", `${method} ${path.kind} is not known here`);
  const removed = shelf.remove(cloud, thing);
  return removed === null ? { status: 204, body: null } : { status: 200, body: removed };
}

/** A single thing by its id, or all that the filters of the query let through, on one page. */
function answerReading(one: string, things: readonly Thing[], { path, request }: Asked): CloudAnswer {
  if (path.id !== undefined) {
    const table = new Map(things.map((thing) => [thing.id, thing]));
    return { status: 200, body: { [one]: demand(table, Number(path.id), one) } };
  }
  const query = request.url.searchParams;
  const found = things.filter((thing) => passesFilters(thing, query) && passesSelector(thing, query));
  const pagination = { page: 1, per_page: 50, previous_page: null, next_page: null, last_page: 1 };
  const meta = { pagination: { ...pagination, total_entries: found.length } };
  return { status: 200, body: { [path.kind]: found, meta } };
}

function passesFilters({ id, name, architecture, fingerprint, status }: Thing, query: URLSearchParams): boolean {
  const filters = Object.entries({ id, name, architecture, fingerprint, status });
  return filters.every(([filter, value]) => !query.has(filter) || query.getAll(filter).includes(String(value)));
}

/** Of the label selectors only `name=value`, with commas between. */
function passesSelector({ labels = {} }: Thing, query: URLSearchParams): boolean {
  const selector = query.get("label_selector");
  const wanted = selector === null || selector === "" ? [] : selector.split(",");
  return wanted.every((one) => {
    const [name = "", value] = one.split("=");
    return labels[name] === value;
  });
}

import { isIPv4, isIPv6 } from "node:net";

import { Type } from "typebox";

import type { CloudAnswer, CloudRequest } from "./answer-request.ts";
import { type Action, type Cloud, type Rrset, type Zone } from "./cloud.ts";
import { invalidInput, readBody, Refusal } from "./refusal.ts";

const Records = Type.Array(Type.Object({ value: Type.String(), comment: Type.Optional(Type.String()) }), {
  minItems: 1,
});
// docs.hetzner.cloud, "Create an RRSet": from one minute.
const Ttl = Type.Union([Type.Null(), Type.Integer({ minimum: 60, maximum: 2_147_483_647 })]);
const Labels = Type.Record(Type.String(), Type.String());
const NewRrset = Type.Object({
  // Relative to the zone, in lower case, and @ for the zone itself.
  name: Type.String({ pattern: "^(@|[a-z0-9_*][a-z0-9_.-]*)$" }),
  type: Type.String(),
  ttl: Type.Optional(Ttl),
  labels: Type.Optional(Labels),
  records: Records,
});

/** /zones, /zones/ZONE and /zones/ZONE/rrsets, where ZONE is an id or a name. Throws a Refusal. */
export function answerZone(cloud: Cloud, request: CloudRequest): CloudAnswer {
  const [, , , idOrName = "", part, ...path] = request.url.pathname.split("/").map(decodeURIComponent);
  const zone = [...cloud.zones.values()].find(({ id, name }) => name === idOrName || String(id) === idOrName);
  if (zone === undefined) throw new Refusal(404, "not_found", `zone ${idOrName} not found`);
  if (part === undefined && request.method === "GET") return { status: 200, body: { zone: describe(zone) } };
  if (part !== "rrsets") throw new Refusal(404, "not_found", `zones have no ${part}`);
  return answerRrset(cloud, { zone, path, request });
}

type Asked = Readonly<{ zone: Zone; path: readonly string[]; request: CloudRequest }>;

function answerRrset(cloud: Cloud, { zone, path, request: { method, body } }: Asked): CloudAnswer {
  const [name, type, , verb] = path;
  if (name === undefined) {
    if (method === "POST") return { status: 201, body: createRrset(cloud, zone, body) };
    const rrsets = [...zone.rrsets.values()];
    const pagination = { page: 1, per_page: 50, previous_page: null, next_page: null, last_page: 1 };
    return { status: 200, body: { rrsets, meta: { pagination: { ...pagination, total_entries: rrsets.length } } } };
  }
  const rrset = zone.rrsets.get(`${name}/${type}`);
  if (rrset === undefined) throw new Refusal(404, "not_found", `rrset ${name}/${type} not found`);
  if (method === "GET") return { status: 200, body: { rrset } };
  if (method === "PUT") {
    const change = readBody(Type.Object({ labels: Type.Optional(Labels) }), body);
    return { status: 200, body: { rrset: Object.assign(rrset, change) } };
  }
  demandWritable(zone, rrset, verb);
  if (method !== "DELETE") return { status: 201, body: { action: act(cloud, { zone, rrset }, { verb, body }) } };
  zone.rrsets.delete(rrset.id);
  return { status: 201, body: { action: begin(cloud, zone, "delete_rrset") } };
}

/** POST /zones/ZONE/rrsets */
function createRrset(cloud: Cloud, zone: Zone, body: unknown) {
  const { name, type, ttl = null, labels = {}, records } = readBody(NewRrset, body);
  demandPrimary(zone);
  const others = [...zone.rrsets.values()].filter((other) => other.name === name);
  if (others.some((other) => other.type === type))
    throw new Refusal(409, "uniqueness_error", `rrset ${name}/${type} already exists`);
  // RFC 1034: an alias stands alone.
  if (others.some((other) => other.type === "CNAME") || (type === "CNAME" && others.length > 0))
    throw invalidInput(`rrset ${name}: a CNAME cannot stand beside others`);
  demandValues(type, records);
  const id = `${name}/${type}`;
  const rrset: Rrset = { id, name, type, ttl, labels, records, protection: { change: false }, zone: zone.id };
  zone.rrsets.set(id, rrset);
  return { rrset, action: begin(cloud, zone, "create_rrset") };
}

type Wish = Readonly<{ verb: string | undefined; body: unknown }>;

function act(cloud: Cloud, { zone, rrset }: { zone: Zone; rrset: Rrset }, { verb = "", body }: Wish): Action {
  switch (verb) {
    case "set_records": {
      const { records } = readBody(Type.Object({ records: Records }), body);
      demandValues(rrset.type, records);
      rrset.records = records;
      break;
    }
    case "change_ttl":
      rrset.ttl = readBody(Type.Object({ ttl: Ttl }), body).ttl;
      break;
    case "change_protection":
      rrset.protection = readBody(Type.Object({ change: Type.Boolean() }), body);
      break;
    default:
      throw new Refusal(404, "not_found", `rrsets have no action ${verb}`);
  }
  return begin(cloud, zone, verb);
}

function demandWritable(zone: Zone, { id, protection }: Rrset, verb: string | undefined): void {
  demandPrimary(zone);
  if (protection.change && verb !== "change_protection")
    throw new Refusal(423, "protected", `rrset ${id} is protected`);
}

function demandPrimary({ name, mode }: Zone): void {
  if (mode !== "primary") throw new Refusal(422, "incorrect_zone_mode", `zone ${name} is a secondary one`);
}

function demandValues(type: string, records: readonly { value: string }[]): void {
  const check = { A: isIPv4, AAAA: isIPv6 }[type];
  for (const { value } of records)
    if (check !== undefined && !check(value)) throw invalidInput(`records: ${value} is no value of ${type}`);
}

function begin(cloud: Cloud, { id }: Zone, command: string): Action {
  return cloud.begin({ command, resources: [{ type: "zone", id }] });
}

function describe({ id, name, mode, rrsets }: Zone) {
  const servers = ["hydrogen.ns.hetzner.com.", "oxygen.ns.hetzner.com.", "helium.ns.hetzner.de."];
  const authoritative_nameservers = {
    assigned: servers,
    delegated: servers,
    delegation_last_check: "2026-11-01T00:00:00Z",
    delegation_status: "valid",
  };
  const rest = { ttl: 3600, primary_nameservers: [], labels: {}, registrar: "other", status: "ok" };
  const counts = { created: "2026-01-01T00:00:00Z", record_count: rrsets.size, protection: { delete: false } };
  return { id, name, mode, authoritative_nameservers, ...rest, ...counts };
}

import { invalidInput } from "./refusal.ts";

export type Location = Readonly<{ id: number; name: string; network_zone: string }>;
export type ServerType = Readonly<{
  id: number;
  name: string;
  architecture: string;
  cores: number;
  disk: number;
  locations: readonly Offer[];
}>;
type Offer = Readonly<{ id: number; name: string; available: boolean }>;
export type Image = Readonly<{ id: number; name: string; architecture: string; disk_size: number }>;

export const locations: readonly Location[] = [
  describeLocation(1, "fsn1", "eu-central"),
  describeLocation(2, "nbg1", "eu-central"),
  describeLocation(3, "hel1", "eu-central"),
  describeLocation(4, "ash", "us-east"),
  describeLocation(5, "hil", "us-west"),
  describeLocation(6, "sin", "ap-southeast"),
];

const european = ["fsn1", "nbg1", "hel1"];
const everywhere = locations.map(({ name }) => name);

/**
 * The types with four cores, and one smaller: the cx and cax lines are sold in Europe only. The prices of cpx32 and
 * ccx23 are no more than plausible.
 */
export const serverTypes: readonly ServerType[] = [
  describeType({ id: 114, name: "cx23", architecture: "x86", cores: 2, memory: 4, disk: 40 }, european, 5.49),
  describeType({ id: 115, name: "cx33", architecture: "x86", cores: 4, memory: 8, disk: 80 }, european, 8.49),
  describeType({ id: 116, name: "cax21", architecture: "arm", cores: 4, memory: 8, disk: 80 }, european, 10.49),
  describeType({ id: 117, name: "cpx32", architecture: "x86", cores: 4, memory: 8, disk: 160 }, everywhere, 37.99),
  describeType({ id: 118, name: "ccx23", architecture: "x86", cores: 4, memory: 16, disk: 160 }, everywhere, 59.99),
];

export const images: readonly Image[] = [
  describeImage(300, "12", "x86"),
  describeImage(301, "12", "arm"),
  describeImage(302, "13", "x86"),
  describeImage(303, "13", "arm"),
];

/** Finds by name or id, since the API takes both. Throws a Refusal. */
export function findEntry<Entry extends { id: number; name: string }>(
  entries: readonly Entry[],
  wanted: string | number,
  what: string,
): Entry {
  const entry = entries.find(({ id, name }) => name === wanted || id === Number(wanted));
  if (entry === undefined) throw invalidInput(`${what} ${wanted} not found`);
  return entry;
}

function describeLocation(id: number, name: string, network_zone: string): Location {
  const place = { description: name, country: "DE", city: name, latitude: 50, longitude: 12 };
  return Object.assign(place, { id, name, network_zone });
}

/** The types as the API lists them while some are sold out. */
export function listServerTypes(soldOut: readonly string[]): ServerType[] {
  return serverTypes.map((type) => {
    const offers = type.locations.map((offer) => {
      return Object.assign({}, offer, { available: !isSoldOut(soldOut, type.name, offer.name) });
    });
    return Object.assign({}, type, { locations: offers });
  });
}

/** Whether a list of "TYPE" and "TYPE@LOCATION" names a type in a location. */
export function isSoldOut(soldOut: readonly string[], type: string, location: string): boolean {
  return soldOut.includes(type) || soldOut.includes(`${type}@${location}`);
}

function describeType(
  type: Omit<ServerType, "locations"> & { memory: number },
  sold: readonly string[],
  monthly: number,
): ServerType {
  const { name: description } = type;
  const places = locations.filter(({ name }) => sold.includes(name));
  const prices = places.map(({ name }) => ({
    location: name,
    price_hourly: describePrice(monthly / 624),
    price_monthly: describePrice(monthly),
    included_traffic: 0,
    price_per_tb_traffic: describePrice(1),
  }));
  const offers = places.map(({ id, name }) => ({
    id,
    name,
    deprecation: null,
    available: true,
    recommended: true,
  }));
  const kind = { description, storage_type: "local", cpu_type: "shared", category: "cost_optimized", prices };
  return Object.assign(kind, { deprecated: false, deprecation: null, locations: offers }, type);
}

function describePrice(net: number) {
  return { net: net.toFixed(10), gross: (net * 1.19).toFixed(10) };
}

function describeImage(id: number, release: string, architecture: string): Image {
  const system = { type: "system", status: "available", os_flavor: "debian", os_version: release, rapid_deploy: true };
  const origin = { image_size: null, created: "2026-08-12T00:00:00Z", created_from: null, bound_to: null, labels: {} };
  const ends = { protection: { delete: false }, deprecated: null, deleted: null, description: `Debian ${release}` };
  return Object.assign(system, origin, ends, { id, name: `debian-${release}`, architecture, disk_size: 5 });
}

import { readFile } from "node:fs/promises";

import { parseDocument } from "yaml";

import { Refused } from "../../app/cli/command-line.ts";
import { nameOfStack } from "../../cloud-init/user-data-input.ts";
import { readProjectName, readSettings, type StackSettings } from "../engine/read-settings.ts";
import type { Offer } from "../hetzner/hetzner-project.ts";
import { findHetzner } from "../hetzner/open-hetzner.ts";

/** The server type and location to buy. */
export type Place = { serverType: string; location: string };
/** Another place than the configuration's defaults, and why. */
export type FirstPlace = Place & { words: string; isOtherType: boolean };

// In the order of preference: one network zone, the same law, and the same price.
const europe = ["fsn1", "nbg1", "hel1"];
const leastCores = 4;

/**
 * Chooses where the first machine of a stack goes when the defaults are sold out. Undefined: where the configuration
 * says. Only a stack that has chosen neither type nor location, and that has neither server nor volume at Hetzner, may
 * go elsewhere. Without settings or a token nothing is looked up: the program reports what is missing, with all other
 * faults.
 */
export async function findFirstPlace(stack: StackSettings, settingsFile: string): Promise<FirstPlace | undefined> {
  const project = await readProjectName(stack);
  const settings = await readSettings(stack);
  const [serverType, location] = [settings.get("serverType"), settings.get("location")];
  if (serverType === undefined || location === undefined || !(await mayChoose(settingsFile, project))) return undefined;
  const hetzner = await findHetzner(stack);
  if (hetzner === undefined) return undefined;
  const labels = { lifeboat: nameOfStack(project, stack.name.split("/").at(-1) ?? "") };
  const standing = [...(await hetzner.listServers(labels)), ...(await hetzner.listVolumes(labels))];
  return standing.length > 0 ? undefined : choosePlace(await hetzner.listOffers(), { serverType, location });
}

/**
 * The same type in another location of Europe, else the cheapest of the same architecture with four cores. Undefined
 * when the wanted one is available, or none is.
 */
export function choosePlace(offers: readonly Offer[], wanted: Place): FirstPlace | undefined {
  const usual = offers.find(({ name }) => name === wanted.serverType);
  if (usual === undefined || usual.availableIn.includes(wanted.location)) return undefined;
  const places = offers
    .filter(({ cores }) => cores >= leastCores)
    .flatMap((offer) =>
      europe.filter((name) => offer.availableIn.includes(name)).map((location) => ({ offer, location })),
    );
  const nearest = places.find(({ offer }) => offer === usual);
  const byPrice = places.toSorted((one, other) => priceOf(one) - priceOf(other));
  const chosen = nearest ?? byPrice.find(({ offer }) => offer.architecture === usual.architecture);
  if (chosen === undefined) return undefined;
  const place = { serverType: chosen.offer.name, location: chosen.location };
  if (chosen.offer === usual) {
    const words = `server type ${usual.name} is sold out in ${wanted.location}: this plan takes it in ${place.location}`;
    return { ...place, words, isOtherType: false };
  }
  const cheaper = byPrice.find(
    (one) => one.offer.architecture !== usual.architecture && priceOf(one) < priceOf(chosen),
  );
  const words = [
    `server type ${usual.name} is sold out in ${europe.join(", ")}: this plan takes ${describe(chosen)} (${usual.name}: ${usual.monthly[wanted.location] ?? "?"})`,
    ...(cheaper === undefined
      ? []
      : [`for less, with another processor: ${describe(cheaper)}; ${renderChoice(toPlace(cheaper))}`]),
  ];
  return { ...place, words: words.join("\n"), isOtherType: true };
}

/** Throws Refused: another type has another price, and `--yes` was given before anybody saw it. */
export function refuseUnseenType(
  place: FirstPlace | undefined,
  { yes, dryRun }: { yes: boolean; dryRun: boolean },
): void {
  if (place?.isOtherType !== true || !yes || dryRun) return;
  throw new Refused(
    `--yes takes no other server type by itself; nothing was changed. If this one is wanted: ${renderChoice(place)}`,
  );
}

/**
 * What to do when the place was sold out after all: by then it is in the settings, and would count as chosen by a
 * person.
 */
export function renderFreeing({ serverType, location }: Place): string {
  return (
    `the settings now say ${serverType} in ${location}. If it sold out meanwhile, and no machine was made, take another: ` +
    "pulumi config rm serverType; pulumi config rm location; npm run up"
  );
}

type Candidate = { offer: Offer; location: string };

function priceOf({ offer, location }: Candidate): number {
  return offer.monthly[location] ?? Infinity;
}

function describe(candidate: Candidate): string {
  const price = priceOf(candidate);
  const monthly = price === Infinity ? "at a price that Hetzner does not tell" : `for ${price.toFixed(2)} a month, net`;
  return `${candidate.offer.name} in ${candidate.location} ${monthly}`;
}

function toPlace({ offer, location }: Candidate): Place {
  return { serverType: offer.name, location };
}

function renderChoice({ serverType, location }: Place): string {
  return `pulumi config set serverType ${serverType} && pulumi config set location ${location} && npm run up`;
}

// A stack without a settings file has chosen nothing, but no place is looked up for it either.
async function mayChoose(settingsFile: string, project: string): Promise<boolean> {
  const yaml = await readFile(settingsFile, "utf8").catch(() => null);
  if (yaml === null) return false;
  const document = parseDocument(yaml);
  return !["serverType", "serverTypeFallbacks", "location"].some((key) =>
    document.hasIn(["config", `${project}:${key}`]),
  );
}

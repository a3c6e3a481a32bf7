import * as pulumi from "@pulumi/pulumi";

import type { InfraConfig } from "../config/config.ts";
import type { ServerTypeOffer, Survey } from "./survey-project.ts";

export type ServerTypeChoice = {
  config: Pick<InfraConfig, "serverType" | "serverTypeFallbacks" | "location" | "rebuild">;
  survey: Pick<Survey, "servers" | "offers">;
};

/**
 * Chooses the type of the machine. A machine that stands keeps its own as long as the configuration names it and no rebuild is asked for:
 * neither a type that sells out nor one that comes back may replace it. Otherwise the first type that can be had in the location.
 * Throws pulumi.RunError when none can, for to replace a server is to delete it first.
 */
export function chooseServerType({ config, survey }: ServerTypeChoice): string {
  const { location, rebuild } = config;
  const wanted = [config.serverType, ...config.serverTypeFallbacks];
  const standing = survey.servers.find(
    (server) =>
      server.location === location && server.rebuild === String(rebuild) && wanted.includes(server.serverType),
  );
  if (standing !== undefined) return standing.serverType;
  const offered = survey.offers.filter(({ availableIn }) => availableIn.includes(location));
  const chosen = wanted.find((type) => offered.some(({ name }) => name === type));
  if (chosen !== undefined) return chosen;
  throw new pulumi.RunError(
    `${describeAbsence(wanted, survey.offers)} in ${location}; nothing was changed. ${suggestOthers(wanted, offered)}` +
      suggestPlaces(wanted, survey),
  );
}

function describeAbsence(wanted: readonly string[], offers: readonly ServerTypeOffer[]): string {
  const unknown = wanted.filter((type) => !offers.some(({ name }) => name === type));
  const soldOut = wanted.filter((type) => !unknown.includes(type));
  const phrases = [
    ...(soldOut.length === 0 ? [] : [`server type ${soldOut.join(", ")} is sold out`]),
    ...(unknown.length === 0 ? [] : [`server type ${unknown.join(", ")} does not exist`]),
  ];
  return phrases.join(", and ");
}

function suggestOthers([first]: readonly string[], offered: readonly ServerTypeOffer[]): string {
  const others = offered.filter(({ cores }) => cores >= 4).map(({ name }) => name);
  if (others.length === 0) return `Nothing else with 4 cores or more can be had there: wait for ${first}, `;
  return `To be had there: ${others.join(", ")}; pulumi config set serverType ${others[0]}, `;
}

function suggestPlaces(wanted: readonly string[], { offers, servers }: ServerTypeChoice["survey"]): string {
  const places = wanted.flatMap((type) => {
    const { availableIn = [] } = offers.find(({ name }) => name === type) ?? {};
    return availableIn.length === 0 ? [] : [{ type, availableIn }];
  });
  const [first] = places;
  if (first === undefined) return "and no other location has one either";
  const list = places.map(({ type, availableIn }) => `${type} in ${availableIn.join(", ")}`).join("; ");
  const [location] = first.availableIn;
  // A machine that stands is moved only by whoever says so.
  const commands =
    servers.length > 0
      ? `npm run up -- --location ${location}`
      : `pulumi config set location ${location}. Then npm run up`;
  return `or another location, which has one (${list}): ${commands}`;
}

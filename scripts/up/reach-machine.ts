import type { Stack } from "@pulumi/pulumi/automation/index.js";

import type { Transcript } from "../../app/cli/transcript.ts";
import { waitFor } from "../../app/cli/wait-for.ts";
import { listNames } from "../../cloud-init/edge-file.ts";
import { readSettings } from "../engine/read-settings.ts";
import { askReady } from "./ask-ready.ts";
import { checkDns, renderRecords } from "./check-dns.ts";
import { waitUntilReady } from "./wait-until-ready.ts";
import { describeEdgeLog } from "./ways-in.ts";

const plainLimitMs = 120_000;
// An order takes a few seconds; the first one of an authority that is busy, minutes.
const certificateLimitMs = 240_000;
const nameLimitMs = 60_000;

export type Reached = { url: string; state: string };

type Place = {
  url: string;
  ipv4: string;
  ipv6: string;
  /** Empty for a machine without a name. */
  names: readonly string[];
  hasZone: boolean;
  acmeDirectory: string;
  hasSsh: boolean;
};

/**
 * Waits until the machine answers this computer, under its address: that works before DNS is right. Then says what DNS
 * lacks, which is no failure: the machine serves under its name as soon as DNS is right.
 */
export async function reachMachine(stack: Stack, hasAnsweredItself: boolean, transcript: Transcript): Promise<Reached> {
  const place = await readPlace(stack);
  const isPlain = place.url.startsWith("http:");
  const byAddress = `${isPlain ? "http" : "https"}://${place.ipv4}`;
  const takesAnyCertificate = place.acmeDirectory !== "";
  const { hasSsh } = place;
  const timeoutMs = isPlain ? plainLimitMs : certificateLimitMs;
  const state = await transcript.step(
    `${byAddress}/ready from here`,
    () => waitUntilReady(byAddress, { timeoutMs, hasAnsweredItself, takesAnyCertificate, hasSsh }),
    (answered) => answered,
  );
  if (takesAnyCertificate)
    transcript.line(`certificates come from ${place.acmeDirectory}: browsers may not trust them`);
  if (place.names.length > 0) await tellNames(place, byAddress, transcript);
  return { url: place.url, state };
}

async function readPlace(stack: Stack): Promise<Place> {
  const settings = await readSettings(stack);
  const outputs = await stack.outputs();
  const output = (name: string) => String(outputs[name]?.value ?? "");
  return {
    url: output("url"),
    ipv4: output("ip"),
    ipv6: output("ipv6"),
    names: listNames({ domain: settings.get("domain") ?? "ip", www: settings.get("www") === "true" }),
    hasZone: (settings.get("dnsZone") ?? "") !== "",
    acmeDirectory: settings.get("acmeDirectory") ?? "",
    hasSsh: output("sshCommand") !== "",
  };
}

async function tellNames(place: Place, byAddress: string, transcript: Transcript): Promise<void> {
  const servers = (process.env["LIFEBOAT_DNS_SERVERS"] ?? "").split(",").filter((server) => server !== "");
  const { names, ipv4, ipv6, url, hasZone } = place;
  const checks = await checkDns(
    names.map((name) => ({ name, ipv4, ipv6 })),
    servers,
  );
  if (checks.every(({ isRight }) => isRight)) {
    await tellCertificate(place, transcript);
    return;
  }
  const next = hasZone
    ? "The stack has made these records in dnsZone; if they stay away, the domain's registrar does not name Hetzner's name servers"
    : "Make these records where the domain's DNS is";
  transcript.heading(`DNS is not right yet, as seen from here. ${next}:`);
  transcript.line(renderRecords(checks));
  transcript.line(`${url} serves as soon as DNS is right, without another up; until then: ${byAddress}\n`);
}

/** Says whether the name serves already. If not, that is the order of its certificate, which the machine goes on with. */
async function tellCertificate({ url, ipv4, hasSsh, acmeDirectory }: Place, transcript: Transcript): Promise<void> {
  const ask = () => askReady(url, { takesAnyCertificate: acmeDirectory !== "" });
  try {
    await transcript.attempt(
      `${url}/ready from here`,
      () => waitFor(`${url}/ready`, ask, { timeoutMs: nameLimitMs, everyMs: 1_000 }),
      () => "DNS and certificate are right",
    );
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    transcript.line(
      `DNS is right, and ${url} does not answer yet: ${cause}\n` +
        "The order of its certificate may still run, be refused, or have met a rate limit; the machine goes on trying by itself, and serves what it served before. " +
        `Why: ${describeEdgeLog({ address: ipv4, hasSsh })}\n`,
    );
  }
}

import type { Sites } from "./render-caddyfile.ts";
import type { Served } from "./served.ts";
import type { Domain, EdgeSettings } from "./settings.ts";

export type EdgeFacts = {
  /** The names and addresses that have a certificate. */
  held: ReadonlySet<string>;
  /** The names whose records lead here. */
  leadHere: ReadonlySet<string>;
  served: Served | null;
};

/** The names that a domain asks for. */
export function listNames(domain: Domain): string[] {
  if (domain.mode !== "name") return [];
  return domain.www ? [domain.name, `www.${domain.name}`] : [domain.name];
}

/** Whether the wanted domain is served: with its certificate, if it needs one. */
export function isServed(
  { domain, addresses }: Pick<EdgeSettings, "domain" | "addresses">,
  { held }: EdgeFacts,
): boolean {
  if (domain.mode === "none") return true;
  return held.has(domain.mode === "name" ? domain.name : (addresses[0] ?? ""));
}

/**
 * What is served now. A name comes in when its records lead here or its certificate is there, so that nothing is ordered in vain.
 * What was served before goes on until the wanted domain has its certificate.
 */
export function chooseSites(settings: Pick<EdgeSettings, "domain" | "addresses">, facts: EdgeFacts): Sites {
  const { domain, addresses } = settings;
  if (domain.mode === "none") return { names: [], redirects: [], addresses: [], plain: "app" };
  const mayServe = (name: string) => facts.held.has(name) || facts.leadHere.has(name);
  const { served } = facts;
  const isWaiting = !isServed(settings, facts);
  const kept: Domain =
    isWaiting && served?.mode === "name" && served.name !== null
      ? { mode: "name", name: served.name, www: served.www }
      : { mode: "none" };
  const wanted = pickNames(domain, mayServe);
  const before = pickNames(kept, (name) => facts.held.has(name));
  return {
    names: [...new Set([...wanted.names, ...before.names])],
    redirects: wanted.redirects.length > 0 ? wanted.redirects : before.redirects,
    addresses,
    plain:
      isWaiting && served?.mode === "none" && !addresses.some((address) => facts.held.has(address))
        ? "app"
        : "redirect",
  };
}

function pickNames(domain: Domain, isIn: (name: string) => boolean): Pick<Sites, "names" | "redirects"> {
  const [name, www] = listNames(domain);
  if (name === undefined || !isIn(name)) return { names: [], redirects: [] };
  return { names: [name], redirects: www !== undefined && isIn(www) ? [{ from: www, to: name }] : [] };
}

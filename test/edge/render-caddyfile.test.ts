import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { chooseSites, type EdgeFacts } from "../../app/edge/choose-sites.ts";
import { renderCaddyfile } from "../../app/edge/render-caddyfile.ts";
import { type Domain, letsEncrypt } from "../../app/edge/settings.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";
import { runCommand } from "../../scripts/build/run-command.ts";

const ipv4 = "203.0.113.7";
const ipv6 = "2001:db8::1";
const app: Domain = { mode: "name", name: "app.example.com", www: false };
const withWww: Domain = { ...app, www: true };
const nothing: EdgeFacts = { held: new Set(), leadHere: new Set(), served: null };
const servedBefore = { format: 1, mode: "name", name: "old.example.com", www: false } as const;

/** Each case as the machine meets it: what is wanted, and what is known. */
const cases: Record<string, { domain: Domain; addresses: string[]; facts: EdgeFacts }> = {
  none: { domain: { mode: "none" }, addresses: [], facts: nothing },
  ip: { domain: { mode: "ip" }, addresses: [ipv4, ipv6], facts: { ...nothing, held: new Set([ipv4]) } },
  domain: { domain: app, addresses: [ipv4], facts: { ...nothing, held: new Set([app.name]) } },
  "domain-www": {
    domain: withWww,
    addresses: [ipv4, ipv6],
    facts: { ...nothing, leadHere: new Set([app.name, `www.${app.name}`]) },
  },
  waiting: { domain: withWww, addresses: [ipv4], facts: nothing },
  "kept-name": {
    domain: app,
    addresses: [ipv4],
    facts: { ...nothing, held: new Set([servedBefore.name]), served: servedBefore },
  },
  "from-plain-http": {
    domain: { mode: "ip" },
    addresses: [ipv4],
    facts: { ...nothing, served: { format: 1, mode: "none", name: null, www: false } },
  },
};

/** `directory` takes the place of the machine's own, which Caddy makes when it checks. */
function render(name: string, state = "/var/lib/lifeboat-edge", run = "/run/lifeboat-edge"): string {
  const { domain, addresses, facts } = cases[name] ?? { domain: app, addresses: [], facts: nothing };
  return renderCaddyfile(chooseSites({ domain, addresses }, facts), {
    storage: join(state, "caddy"),
    adminSocket: join(run, "admin.sock"),
    acmeDirectory: letsEncrypt,
    ports: { http: 80, https: 443, app: 8080 },
  });
}

test.each(Object.keys(cases))(
  "the Caddyfile of %s is the one that was reviewed, and Caddy accepts it",
  async (name) => {
    await expect(render(name)).toMatchFileSnapshot(`../golden/caddy-${name}.Caddyfile`);
    const directory = mkdtempSync(join(tmpdir(), "lifeboat-caddyfile-"));
    try {
      const path = join(directory, "Caddyfile");
      writeFileSync(path, render(name, directory, directory));
      const caddy = await resolveBinary("caddy", { say: () => undefined });
      const env = { PATH: process.env["PATH"], HOME: directory };
      await runCommand(caddy, ["validate", "--adapter", "caddyfile", "--config", path], { timeoutMs: 20_000, env });
      const adapted: unknown = JSON.parse(
        await runCommand(caddy, ["adapt", "--adapter", "caddyfile", "--config", path], { timeoutMs: 20_000, env }),
      );
      expect(listIssuers(adapted)).toEqual(name === "none" ? [] : [letsEncrypt]);
      // Caddy's own form, without which it warns.
      await runCommand(caddy, ["fmt", "--diff", path], { timeoutMs: 20_000, env });
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
);

test("a plain request reaches the app only where nothing else does yet", () => {
  const proxied = Object.keys(cases).filter((name) => /^http:\/\/ \{\n\timport app/m.test(render(name)));
  expect(proxied).toEqual(["none", "from-plain-http"]);
});

/** The directories of every issuer in Caddy's own form; "other" for one that is not ACME. */
function listIssuers(value: unknown): string[] {
  const found = new Set<string>();
  const look = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    for (const [key, part] of Object.entries(node)) {
      if (key === "issuers" && Array.isArray(part)) for (const issuer of part) found.add(issuer.ca ?? "other");
      else look(part);
    }
  };
  look(value);
  return [...found];
}

import { type Static, type TSchema, Type } from "typebox";
import { Value } from "typebox/value";

import { waitFor } from "../../app/cli/wait-for.ts";
import {
  AddressSchema,
  FirewallSchema,
  OfferPageSchema,
  OfferSchema,
  ProtectedSchema,
  RefusalSchema,
  RrsetsSchema,
  ServerSchema,
  VolumeSchema,
} from "./answers.ts";

export type Labels = Readonly<Record<string, string>>;

export type OldServer = Static<typeof ServerSchema>;
export type LeftAddress = Static<typeof AddressSchema>;
export type LeftVolume = Static<typeof VolumeSchema>;
/**
 * A server type, the locations where it can be bought now, and its monthly price there without VAT, in the project's
 * currency.
 */
export type Offer = {
  name: string;
  cores: number;
  architecture: string;
  availableIn: readonly string[];
  monthly: Readonly<Record<string, number>>;
};

const requestLimitMs = 30_000;
// The app's clean stop may take 60 s, Litestream's 30 s, and Debian kills what is left after 90 s.
const shutdownLimitMs = 240_000;
const settleLimitMs = 120_000;
const pollMs = 1_000;
// Temporary errors: an action is still running, a resource is still being detached, the rate limit is used up.
const passing = new Set(["locked", "resource_in_use", "conflict", "rate_limit_exceeded"]);

/** Hetzner refused the request. */
class HetznerRefusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The part of Hetzner's API for which the engine cannot be used: resources in no state, and resources that the stack
 * leaves behind.
 */
export class HetznerProject {
  readonly #endpoint: string;
  readonly #token: string;

  constructor({ token, endpoint }: { token: string; endpoint: string | undefined }) {
    this.#token = token;
    this.#endpoint = endpoint ?? "https://api.hetzner.cloud/v1";
  }

  async listOffers(): Promise<Offer[]> {
    const offers: Offer[] = [];
    for (let page: number | null = 1; page !== null;) {
      const answer: Static<typeof OfferPageSchema> = await this.#read(
        `server_types?per_page=50&page=${page}`,
        OfferPageSchema,
      );
      offers.push(...answer.server_types.map(toOffer));
      page = answer.meta.pagination.next_page;
    }
    return offers;
  }

  async listServers(labels: Labels): Promise<OldServer[]> {
    const answer = await this.#read(`servers?${selector(labels)}`, Type.Object({ servers: Type.Array(ServerSchema) }));
    return answer.servers;
  }

  async hasServer(id: number): Promise<boolean> {
    return (await this.#find(`servers/${id}`)) !== undefined;
  }

  /** Whether somebody has protected it from deletion. What Hetzner does not know is not protected. */
  async isProtected(kind: "servers" | "primary_ips", id: number): Promise<boolean> {
    const found = await this.#find(`${kind}/${id}`);
    if (found === undefined) return false;
    return Object.values(Value.Parse(ProtectedSchema, found)).some(({ protection }) => protection.delete);
  }

  async listVolumes(labels: Labels): Promise<LeftVolume[]> {
    const answer = await this.#read(`volumes?${selector(labels)}`, Type.Object({ volumes: Type.Array(VolumeSchema) }));
    return answer.volumes;
  }

  /** The reserved addresses that no server has. */
  async listAddresses(labels: Labels): Promise<LeftAddress[]> {
    const listed = Type.Object({ primary_ips: Type.Array(AddressSchema) });
    const { primary_ips } = await this.#read(`primary_ips?${selector(labels)}`, listed);
    return primary_ips.filter(({ assignee_id }) => assignee_id === null);
  }

  /** Gives an address back that no server has. Throws when it is protected. */
  async deleteAddress({ id }: Pick<LeftAddress, "id">): Promise<void> {
    await this.#delete(`primary_ips/${id}`);
  }

  /**
   * Shuts a server down like its power button, and waits until it is off. Does nothing when it is off. Throws after
   * four minutes: it never cuts the power.
   */
  async shutDown({ id, name }: OldServer): Promise<void> {
    const isOff = async () => {
      const { server } = await this.#read(`servers/${id}`, Type.Object({ server: ServerSchema }));
      return server.status === "off" ? true : null;
    };
    if ((await isOff()) === true) return;
    await this.#send("POST", `servers/${id}/actions/shutdown`);
    await waitFor(`server ${name} to be off`, isOff, { timeoutMs: shutdownLimitMs, everyMs: pollMs });
  }

  /**
   * Deletes a server and waits until Hetzner no longer knows it: until then it holds its name, its volume and its
   * address.
   */
  async deleteServer({ id, name }: OldServer): Promise<void> {
    await this.#delete(`servers/${id}`);
    const isGone = async () => ((await this.hasServer(id)) ? null : true);
    await waitFor(`server ${name} to be gone`, isGone, { timeoutMs: settleLimitMs, everyMs: pollMs });
  }

  /** Deletes the firewalls with these labels, which no server uses any more. */
  async deleteFirewalls(labels: Labels): Promise<void> {
    const listed = Type.Object({ firewalls: Type.Array(FirewallSchema) });
    const { firewalls } = await this.#read(`firewalls?${selector(labels)}`, listed);
    for (const { id } of firewalls) await this.#delete(`firewalls/${id}`);
  }

  /**
   * Deletes the records with these labels in a zone. Does nothing when there is no such zone: whoever needs it says so.
   */
  async deleteRecords(zone: string, labels: Labels): Promise<void> {
    const listed = await this.#find(`zones/${zone}/rrsets?${selector(labels)}`);
    if (listed === undefined) return;
    const { rrsets } = Value.Parse(RrsetsSchema, listed);
    for (const { name, type } of rrsets) await this.#delete(`zones/${zone}/rrsets/${name}/${type}`);
  }

  /** Deletes a volume that no server holds. Throws when it is protected. */
  async deleteVolume({ id }: Pick<LeftVolume, "id">): Promise<void> {
    await this.#delete(`volumes/${id}`);
  }

  /** Lifts the delete protection of a volume. */
  async unprotectVolume({ id }: Pick<LeftVolume, "id">): Promise<void> {
    await this.#send("POST", `volumes/${id}/actions/change_protection`, { delete: false });
  }

  async #read<Schema extends TSchema>(path: string, schema: Schema): Promise<Static<Schema>> {
    return Value.Parse(schema, await this.#send("GET", path));
  }

  async #delete(path: string): Promise<void> {
    // It may be gone already, or the answer to a first try was lost.
    await this.#sendUnlessGone("DELETE", path);
  }

  /** What Hetzner knows of it. Undefined when it knows nothing. */
  async #find(path: string): Promise<unknown> {
    return this.#sendUnlessGone("GET", path);
  }

  async #sendUnlessGone(method: string, path: string): Promise<unknown> {
    try {
      return await this.#send(method, path);
    } catch (error) {
      if (error instanceof HetznerRefusal && error.code === "not_found") return undefined;
      throw error;
    }
  }

  /** Repeats a request while it is refused for a temporary reason. Throws the refusal when that does not end. */
  async #send(method: string, path: string, body?: object): Promise<unknown> {
    const endAt = Date.now() + settleLimitMs;
    const attempt = async () => {
      const answer = await fetch(`${this.#endpoint}/${path}`, {
        method,
        headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(requestLimitMs),
      });
      const text = await answer.text();
      const parsed: unknown = text === "" ? {} : JSON.parse(text);
      if (answer.ok) return { parsed };
      const refusal = readRefusal(parsed, `${method} ${path}: Hetzner answers ${answer.status}`);
      if (passing.has(refusal.code) && Date.now() < endAt) return null;
      return { refusal };
    };
    const said = await waitFor(`Hetzner to do ${method} ${path}`, attempt, {
      timeoutMs: settleLimitMs,
      everyMs: pollMs,
    });
    if ("refusal" in said) throw said.refusal;
    return said.parsed;
  }
}

function toOffer({ name, cores, architecture, locations, prices }: Static<typeof OfferSchema>): Offer {
  const availableIn = locations.filter(({ available }) => available).map((place) => place.name);
  const monthly = Object.fromEntries(prices.map(({ location, price_monthly: { net } }) => [location, Number(net)]));
  return { name, cores, architecture, availableIn, monthly };
}

function readRefusal(body: unknown, what: string): HetznerRefusal {
  if (!Value.Check(RefusalSchema, body)) return new HetznerRefusal("unknown", what);
  const { code, message } = body.error;
  const next = code === "unauthorized" ? "; is HCLOUD_TOKEN of the right project?" : "";
  return new HetznerRefusal(code, `${what}: ${message} (${code})${next}`);
}

function selector(labels: Labels): string {
  const wanted = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  if (wanted.length === 0) throw new Error("no labels: that would be everything in the project");
  return new URLSearchParams({ label_selector: wanted.join(","), per_page: "50" }).toString();
}

import { renderTable } from "../../app/cli/render-table.ts";
import { listRecords, openResolver } from "../../app/edge/check-dns.ts";
import { normaliseIpv6 } from "../../app/edge/settings.ts";

/** What a name should lead to. An empty IPv6 address: to none. */
export type WantedName = { name: string; ipv4: string; ipv6: string };

export type RecordCheck = {
  type: "A" | "AAAA";
  name: string;
  /** Undefined: there should be none. */
  wanted: string | undefined;
  /** What DNS says at this moment, or why it cannot be asked. */
  found: readonly string[] | string;
  isRight: boolean;
};

/**
 * Asks DNS from this computer for the addresses of each name. `servers` are asked instead of the system's. Something
 * else beside the right address is wrong too: a part of the visitors, and of the authority's checks, would get it.
 */
export async function checkDns(names: readonly WantedName[], servers: readonly string[]): Promise<RecordCheck[]> {
  const resolver = openResolver(servers);
  const checks = names.flatMap(({ name, ipv4, ipv6 }) => [
    check({ type: "A", name, wanted: ipv4 }, () => resolver.resolve4(name)),
    check({ type: "AAAA", name, wanted: ipv6 === "" ? undefined : ipv6 }, () => resolver.resolve6(name)),
  ]);
  return Promise.all(checks);
}

type Question = Pick<RecordCheck, "type" | "name" | "wanted">;

async function check(question: Question, ask: () => Promise<string[]>): Promise<RecordCheck> {
  const { type, wanted } = question;
  try {
    const found = await listRecords(ask());
    const [only] = found;
    // A name works without an AAAA record: the checks of the authority then go to the IPv4 address.
    const isRight =
      only === undefined
        ? wanted === undefined || type === "AAAA"
        : found.length === 1 && sameAddress(only, wanted ?? "");
    return { ...question, found, isRight };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    return { ...question, found: `cannot be asked (${code})`, isRight: false };
  }
}

/** Whether two texts are the same address: IPv6 has many spellings. */
function sameAddress(one: string, other: string): boolean {
  return normalize(one) === normalize(other);
}

function normalize(address: string): string {
  return address.includes(":") ? normaliseIpv6(address) : address;
}

/** The records that are needed, and what DNS says instead, as a table for people. */
export function renderRecords(checks: readonly RecordCheck[]): string {
  const rows = checks.flatMap((one) => {
    const isNeeded = one.wanted !== undefined || !one.isRight;
    return isNeeded ? [[one.type, one.name, one.wanted ?? "(none)", describeFound(one)]] : [];
  });
  return renderTable([["TYPE", "NAME", "VALUE", "NOW"], ...rows]);
}

function describeFound({ found, isRight, wanted }: RecordCheck): string {
  if (typeof found === "string") return found;
  if (found.length === 0) return isRight ? "missing; works without" : "missing";
  if (isRight) return "right";
  const wrong = found.filter((address) => !sameAddress(address, wanted ?? ""));
  return `wrong: ${wrong.join(", ")}`;
}

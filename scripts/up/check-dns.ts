import { Resolver } from "node:dns/promises";

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

const questionLimitMs = 3_000;

/**
 * Asks DNS from this computer for the addresses of each name. `servers` are asked instead of the system's. Something
 * else beside the right address is wrong too: a part of the visitors, and of the authority's checks, would get it.
 */
export async function checkDns(names: readonly WantedName[], servers: readonly string[]): Promise<RecordCheck[]> {
  const resolver = new Resolver({ timeout: questionLimitMs, tries: 2 });
  if (servers.length > 0) resolver.setServers(servers);
  const checks = names.flatMap(({ name, ipv4, ipv6 }) => [
    check({ type: "A", name, wanted: ipv4 }, () => resolver.resolve4(name)),
    check({ type: "AAAA", name, wanted: ipv6 === "" ? undefined : ipv6 }, () => resolver.resolve6(name)),
  ]);
  return Promise.all(checks);
}

type Question = Pick<RecordCheck, "type" | "name" | "wanted">;

async function check(question: Question, ask: () => Promise<string[]>): Promise<RecordCheck> {
  try {
    const found = await ask();
    const [only] = found;
    const { wanted } = question;
    return { ...question, found, isRight: found.length === 1 && sameAddress(only ?? "", wanted ?? "") };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const isAbsent = code === "ENODATA" || code === "ENOTFOUND";
    // A name works without an AAAA record: the checks of the authority then go to the IPv4 address.
    const isRight = isAbsent && (question.wanted === undefined || question.type === "AAAA");
    return { ...question, found: isAbsent ? [] : `cannot be asked (${code})`, isRight };
  }
}

/** Whether two texts are the same address: IPv6 has many spellings. */
function sameAddress(one: string, other: string): boolean {
  return normalize(one) === normalize(other);
}

function normalize(address: string): string {
  return (address.includes(":") ? URL.parse(`http://[${address}]`)?.hostname : address) ?? address;
}

/** The records that are needed, and what DNS says instead, as a table for people. */
export function renderRecords(checks: readonly RecordCheck[]): string {
  const rows = checks.flatMap((one) => {
    const isNeeded = one.wanted !== undefined || !one.isRight;
    return isNeeded ? [[one.type, one.name, one.wanted ?? "(none)", describeFound(one)]] : [];
  });
  const table = [["TYPE", "NAME", "VALUE", "NOW"], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function describeFound({ found, isRight, wanted }: RecordCheck): string {
  if (typeof found === "string") return found;
  if (found.length === 0) return isRight ? "missing; works without" : "missing";
  if (isRight) return "right";
  const wrong = found.filter((address) => !sameAddress(address, wanted ?? ""));
  return `wrong: ${wrong.join(", ")}`;
}

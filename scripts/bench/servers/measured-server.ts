import { readFileSync } from "node:fs";

import type { Leftovers } from "../../local/leftovers.ts";
import { customerBody, type Load } from "../load/load.ts";
import { runLoad } from "../load/run-load.ts";
import type { Figures } from "../report/report.ts";

/** A server with customers in it, ours or a peer's, behind one way to ask it. */
export type MeasuredServer = Readonly<{
  port: number;
  /** Whose time on the processor is counted. Undefined: nobody's. */
  pid?: number | undefined;
  headers: Readonly<Record<string, string>>;
  /** One path for each customer. */
  onePaths: readonly string[];
  listPath: string;
  createPath: string;
}>;

/** What to ask for. `mixed`: nine reads of one and a create. */
export type Question = "one" | "list" | "create" | "mixed";
export type Asking = Readonly<{
  question: Question;
  roundMs: number;
  createHeaders?: Readonly<Record<string, string>>;
  connections?: number;
  pipelining?: number;
  perSecond?: number;
}>;

/** The number of connections where a row does not name another one. */
export const usualConnections = 32;
let marks = 0;

/** Measures one round of requests, and what each costs the server in time on the processor. */
export async function askServer(
  server: MeasuredServer,
  asking: Asking,
  place: Readonly<{ directory: string; leftovers: Leftovers }>,
): Promise<Figures> {
  const { question, roundMs, createHeaders = {}, connections = usualConnections, pipelining = 1 } = asking;
  const load: Load = {
    port: server.port,
    headers: server.headers,
    reads: question === "list" ? [server.listPath] : question === "create" ? [] : server.onePaths,
    createEvery: question === "create" ? 1 : question === "mixed" ? 10 : 0,
    createPath: server.createPath,
    createHeaders,
    mark: `${process.pid}-${(marks += 1)}`,
    connections,
    pipelining,
    durationMs: roundMs,
    isStrict: createHeaders["durability"] === "bucket",
    perSecond: asking.perSecond ?? null,
  };
  const before = readCpuMs(server.pid);
  const { figures, requests } = await runLoad(load, place);
  const cpuMs = readCpuMs(server.pid) - before;
  return Number.isFinite(cpuMs) && requests > 0 ? { ...figures, cpuUs: (cpuMs * 1000) / requests } : figures;
}

// USER_HZ, which is 100 on every Linux.
const msPerTick = 10;

/** The processor's time that a process with all its threads has used. NaN where there is no /proc. */
function readCpuMs(pid: number | undefined): number {
  if (pid === undefined || process.platform !== "linux") return Number.NaN;
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name of the program, in brackets, may hold blanks. utime and stime are the fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * msPerTick;
}

const seededCustomers = 1_000;

/** Creates the customers that are read later. Returns their ids. */
export async function seedCustomers(
  server: Pick<MeasuredServer, "port" | "headers" | "createPath">,
  readId: (answer: unknown) => string,
): Promise<string[]> {
  const ids: string[] = [];
  await seedAtOnce({ count: seededCustomers, seeders: 16 }, async (index) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${server.createPath}`, {
      method: "POST",
      headers: { ...server.headers, "content-type": "application/json" },
      body: customerBody("seed", index),
    });
    if (!response.ok) throw new Error(`a customer could not be made: ${response.status} ${await response.text()}`);
    ids.push(readId(await response.json()));
  });
  return ids;
}

/** Seeds the indexes below `count`, so many of them at once. */
export async function seedAtOnce(
  { count, seeders }: { count: number; seeders: number },
  seed: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const seedOn = async () => {
    for (let index = next++; index < count; index = next++) await seed(index);
  };
  await Promise.all(Array.from({ length: seeders }, seedOn));
}

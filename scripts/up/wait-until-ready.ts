import { BlockList, isIPv4 } from "node:net";

import { waitFor } from "../../app/cli/wait-for.ts";
import { askReady, NoCertificate, NotReady, type Trust } from "./ask-ready.ts";
import { describeEdgeLog, describeStart, type WayIn } from "./ways-in.ts";

type ReadyWait = Trust & {
  timeoutMs: number;
  /** The machine was brought up just now, and reported that it is ready. */
  hasAnsweredItself: boolean;
  /** Whether SSH is open: else other remedies are named. */
  hasSsh: boolean;
};

/**
 * Waits until the machine answers /ready to this computer, and returns the state of its replica. Throws on timeout, with
 * what to try.
 */
export async function waitUntilReady(
  url: string,
  { timeoutMs, hasAnsweredItself, hasSsh, ...trust }: ReadyWait,
): Promise<string> {
  try {
    return await waitFor(`${url}/ready`, () => askReady(url, trust), { timeoutMs, everyMs: 500 });
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    throw new Error(explainSilence(url, { hasAnsweredItself, hasSsh, cause }), { cause: error });
  }
}

type Silence = { hasAnsweredItself: boolean; hasSsh: boolean; cause: unknown };

function explainSilence(url: string, { hasAnsweredItself, hasSsh, cause }: Silence): string {
  const { hostname, protocol } = new URL(url);
  const way = { address: hostname, hasSsh };
  const start = describeStart(way);
  if (cause instanceof NotReady) return `the machine answers, and is not ready. If it was stopped: ${start}`;
  if (cause instanceof NoCertificate) return explainCertificate(way);
  const silent = `${url}/ready does not answer to this computer`;
  const likely = protocol === "https:" ? "does this computer's network let 443 out?" : "is your address in adminCidrs?";
  if (hasAnsweredItself) return `${silent}, although it does on the machine: ${likely}`;
  return `${silent}, and nothing was to be done on the machine: ${likely} Else it may be stopped: ${start}`;
}

/** What to do about a machine that serves and has no certificate for its address, or none that is trusted here. */
export function explainCertificate(way: WayIn): string {
  const { address } = way;
  const lacks = `the machine serves, but has no certificate for ${address} that this computer trusts`;
  if (isPrivate(address))
    return (
      `${lacks}: it is a private address, which no public authority certifies. ` +
      "Take a host name (pulumi config set domain app.example.com), an authority of your own (acmeDirectory), or plain HTTP (domain none); then npm run up"
    );
  return (
    `${lacks}. Its order may still run, be refused, or have met a rate limit of the authority. The machine goes on trying by itself and nothing has to be made anew. ` +
    `To look again: npm run up. Why: ${describeEdgeLog(way)}`
  );
}

const privateNetworks = new BlockList();
for (const [network, bits] of [
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const)
  privateNetworks.addSubnet(network, bits);

function isPrivate(address: string): boolean {
  return isIPv4(address) && privateNetworks.check(address);
}

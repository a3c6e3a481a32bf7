import { BlockList, isIPv4 } from "node:net";

import { waitFor } from "../cli/wait-for.ts";
import { askReady, NoCertificate, NotReady, type Trust } from "./ask-ready.ts";

type ReadyWait = Trust & {
  timeoutMs: number;
  /** The machine was brought up just now, and reported that it is ready. */
  hasAnsweredItself: boolean;
};

/**
 * Waits until the machine answers /ready to this computer, and returns the state of its replica. Throws on timeout, with
 * what to try.
 */
export async function waitUntilReady(
  url: string,
  { timeoutMs, hasAnsweredItself, ...trust }: ReadyWait,
): Promise<string> {
  try {
    return await waitFor(`${url}/ready`, () => askReady(url, trust), { timeoutMs, everyMs: 500 });
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    throw new Error(explainSilence(url, { hasAnsweredItself, cause }), { cause: error });
  }
}

type Silence = { hasAnsweredItself: boolean; cause: unknown };

function explainSilence(url: string, { hasAnsweredItself, cause }: Silence): string {
  const { hostname, protocol } = new URL(url);
  const start = `ssh root@${hostname} systemctl start lifeboat.target; or make it anew: npm run up -- --rebuild`;
  if (cause instanceof NotReady) return `the machine answers, and is not ready. If it was stopped: ${start}`;
  if (cause instanceof NoCertificate) return explainCertificate(hostname);
  const silent = `${url}/ready does not answer to this computer`;
  const likely = protocol === "https:" ? "does this computer's network let 443 out?" : "is your address in adminCidrs?";
  if (hasAnsweredItself) return `${silent}, although it does on the machine: ${likely}`;
  return `${silent}, and nothing was to be done on the machine: ${likely} Else it may be stopped: ${start}`;
}

/** What to do about a machine that serves and has no certificate for its address, or none that is trusted here. */
export function explainCertificate(address: string): string {
  const lacks = `the machine serves, but has no certificate for ${address} that this computer trusts`;
  if (isPrivate(address))
    return (
      `${lacks}: it is a private address, which no public authority certifies. ` +
      "Take a host name (pulumi config set domain app.example.com), an authority of your own (acmeDirectory), or plain HTTP (domain none); then npm run up"
    );
  return (
    `${lacks}. Its order may still run, be refused, or have met a rate limit of the authority. The machine goes on trying by itself and nothing has to be made anew. ` +
    `Why: ssh root@${address} journalctl --unit caddy --unit edge --lines 20; to look again: npm run up`
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

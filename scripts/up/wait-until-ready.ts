import { inspect } from "node:util";

import { Type } from "typebox";
import { Value } from "typebox/value";

import { waitFor } from "../cli/wait-for.ts";

const ReadySchema = Type.Object({ state: Type.String(), uploadProgress: Type.Union([Type.String(), Type.Null()]) });
const answerLimitMs = 5_000;

type ReadyWait = {
  timeoutMs: number;
  /** The machine was brought up just now, and answered itself. */
  hasAnsweredItself: boolean;
};

/**
 * Waits until the machine answers /ready to this computer, and returns what it says of its replica: "living", or "opening" with the progress
 * of the first upload. Throws when the time is over, with what to try.
 */
export async function waitUntilReady(url: string, { timeoutMs, hasAnsweredItself }: ReadyWait): Promise<string> {
  const ask = async () => {
    const answer = await fetch(new URL("/ready", url), { signal: AbortSignal.timeout(answerLimitMs) });
    if (answer.status !== 200)
      throw new Error(`/ready answers ${answer.status}: ${(await answer.text()).slice(0, 500)}`);
    const { state, uploadProgress } = Value.Parse(ReadySchema, await answer.json());
    return uploadProgress === null ? state : `${state} (${uploadProgress})`;
  };
  try {
    return await waitFor(`${url}/ready`, ask, { timeoutMs, everyMs: 500 });
  } catch (error) {
    throw new Error(explainSilence(url, { hasAnsweredItself, error }), { cause: error });
  }
}

type Silence = { hasAnsweredItself: boolean; error: unknown };

function explainSilence(url: string, { hasAnsweredItself, error }: Silence): string {
  const start = `ssh root@${new URL(url).hostname} systemctl start lifeboat.target; or make it anew: npm run up -- --rebuild`;
  if (/\/ready answers \d+/.test(inspect(error)))
    return `the machine answers, and is not ready. If it was stopped: ${start}`;
  if (hasAnsweredItself)
    return `${url}/ready does not answer to this computer, although it does on the machine: is your address in adminCidrs?`;
  return (
    `${url}/ready does not answer to this computer, and nothing was to be done on the machine: is your address in adminCidrs? ` +
    `Else it may be stopped: ${start}`
  );
}

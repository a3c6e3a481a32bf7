import { createServer } from "node:http";

import { expect, test } from "vitest";

import { waitUntilReady } from "../../../scripts/up/wait-until-ready.ts";
import { listenOnLoopback } from "../../listen-on-loopback.ts";

test("a machine that was brought up just now and does not answer from here is behind its firewall", async () => {
  const silence = waitUntilReady(await findSilentUrl(), { timeoutMs: 100, hasAnsweredItself: true });
  await expect(silence).rejects.toThrow(/although it does on the machine: is your address in adminCidrs/);
});

test("about an untouched machine nothing is claimed, and all possible remedies are named", async () => {
  const silence = waitUntilReady(await findSilentUrl(), { timeoutMs: 100, hasAnsweredItself: false });
  await expect(silence).rejects.not.toThrow("it does on the machine");
  await expect(silence).rejects.toThrow(/adminCidrs.*ssh root@127.0.0.1 systemctl start lifeboat.target.*--rebuild/);
});

test("a machine that answers and is not ready is behind no firewall, and may be stopped", async () => {
  await using machine = await serve(503);
  const refusal = waitUntilReady(machine.url, { timeoutMs: 100, hasAnsweredItself: false });
  await expect(refusal).rejects.toThrow(/the machine answers, and is not ready.*systemctl start lifeboat.target/);
  await expect(refusal).rejects.not.toThrow("adminCidrs");
});

test("the state of its replica is returned", async () => {
  await using machine = await serve(200);
  await expect(waitUntilReady(machine.url, { timeoutMs: 5_000, hasAnsweredItself: true })).resolves.toBe("living");
});

function serve(status: number) {
  const ready = JSON.stringify({ state: "living", uploadProgress: null });
  return listenOnLoopback(createServer((_request, response) => response.writeHead(status).end(ready)));
}

/** Where something listened a moment ago, and nothing does now. */
async function findSilentUrl(): Promise<string> {
  await using machine = await serve(200);
  return machine.url;
}

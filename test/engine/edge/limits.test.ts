import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../../app/cli/wait-for.ts";
import { CommandFailed, runCommand } from "../../../scripts/build/run-command.ts";
import { AcmeServer } from "../../../scripts/local/acme-server.ts";
import { prepareBucket } from "../../../scripts/local/bucket-preparation.ts";
import { startSeaweedStore } from "../../../scripts/local/seaweed-store.ts";
import { EdgeMachine } from "./edge-machine.ts";

let acme: AcmeServer;
let machine: EdgeMachine;
const cleanup = new AsyncDisposableStack();
beforeAll(async () => {
  const store = cleanup.use(await startSeaweedStore());
  acme = cleanup.use(await AcmeServer.start());
  const { config } = await prepareBucket(store.access, null);
  machine = cleanup.use(await EdgeMachine.make(acme, config));
  await machine.start({ LIFEBOAT_DOMAIN: "none" });
});
afterAll(() => cleanup.disposeAsync());

/** Sends the beginning of a request and no more; returns the seconds until Caddy hung up. */
async function sendStart(start: string): Promise<{ seconds: number }> {
  const startedAt = performance.now();
  const socket = connect(acme.ports.http, "127.0.0.1");
  socket.write(start);
  await text(socket);
  return { seconds: Math.round((performance.now() - startedAt) / 1000) };
}

/** Uploads a file at so many bytes a second; returns what the app has counted, and the status. */
async function uploadSlowly(bytes: number, rate: string): Promise<string> {
  const file = join(machine.folder, "upload");
  writeFileSync(file, Buffer.alloc(bytes));
  const words = ["-s", "-m", "60", "--limit-rate", rate, "--data-binary", `@${file}`, "-w", " %{http_code}"];
  const url = `http://127.0.0.1:${acme.ports.http}/upload`;
  return await runCommand("curl", [...words, "-H", "Expect:", url], { timeoutMs: 70_000 });
}

test("a client with slow headers is let go of; neither a stream of events nor a slow upload is cut", async () => {
  const url = `http://127.0.0.1:${acme.ports.http}/events?secret=1`;
  const stream = runCommand("curl", ["-sN", "-m", "40", "-H", "Authorization: Bearer the-token", url], {
    timeoutMs: 60_000,
  }).catch((error: unknown) => {
    if (error instanceof CommandFailed) return error.message;
    throw error;
  });
  const streamedAt = performance.now();
  // Only the app limits how long a body may take, and its answer says so. This one takes 40 s.
  const upload = uploadSlowly(2_000_000, "50k");
  const header = await sendStart("GET / HTTP/1.1\r\nHost: x\r\n");
  expect(header.seconds).toBeGreaterThanOrEqual(14);
  expect(header.seconds).toBeLessThanOrEqual(17);
  await stream;
  expect(performance.now() - streamedAt).toBeGreaterThan(39_000);
  expect(await upload).toBe("2000000 200");
  // Caddy logs that the client has left, with neither its query nor its token.
  await waitFor("the log", async () => machine.readLog().includes('"uri":"/events') || null, { timeoutMs: 5_000 });
  expect(machine.readLog()).not.toMatch(/secret=1|the-token/);
});

test("headers that are too large are refused", async () => {
  const large = await machine.ask("http://127.0.0.1/", "-H", `X-Large: ${"a".repeat(40_000)}`);
  expect(large).toMatchObject({ status: 431 });
});

test("while the app is away a request waits, and is then told to come again", async () => {
  machine.stopApp();
  const url = `http://127.0.0.1:${acme.ports.http}/a?secret=1`;
  const words = ["-si", "-m", "20", "-H", "Authorization: Bearer the-token", url];
  const startedAt = performance.now();
  const answer = await runCommand("curl", words, { timeoutMs: 30_000 });
  expect(performance.now() - startedAt).toBeGreaterThan(9_000);
  expect(answer).toMatch(/^HTTP\/1.1 503 /);
  expect(answer).toMatch(/^content-type: application\/problem\+json\r$/im);
  expect(answer).toMatch(/^retry-after: 5\r$/im);
  expect(answer).toContain("urn:lifeboat:problem:app-away");
});

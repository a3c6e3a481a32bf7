import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { startTlsStore, type Certificate } from "../replica/tls-store.ts";
import { World } from "../replica/world.ts";

let world: World;
const trusted = getCACertificates("default");
beforeAll(async () => {
  world = await World.open();
});
afterAll(async () => {
  setDefaultCACertificates(trusted);
  await world[Symbol.asyncDispose]();
});

const day = 24 * 60 * 60 * 1000;
const inDays = (days: number) => new Date(Date.now() + days * day).toISOString().replace(/[-:T]|\.\d+/g, "");
const sound: Certificate = { name: "IP:127.0.0.1", notBefore: inDays(-2), notAfter: inDays(2) };

async function machineAt(endpoint: string) {
  const site = await world.makeSite();
  const machine = world.newMachine(site);
  machine.reconnect({ endpoint });
  return { site, machine };
}

test.each<[string, Certificate, boolean, RegExp, shown: RegExp]>([
  ["has expired", { ...sound, notAfter: inDays(-1) }, true, /CERT_HAS_EXPIRED/, /^notAfter=/m],
  ["is not yet valid", { ...sound, notBefore: inDays(1) }, true, /CERT_NOT_YET_VALID/, /^notBefore=/m],
  [
    "names another host",
    { ...sound, name: "DNS:elsewhere.example" },
    true,
    /ALTNAME_INVALID/,
    /DNS:elsewhere\.example/,
  ],
  ["is signed by nobody known", sound, false, /DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED/, /^issuer=CN ?= ?store/m],
])("a store whose certificate %s refuses, says so, and the command shows it", async (...row) => {
  const [, certificate, isTrusted, cause, shown] = row;
  await using store = await startTlsStore(world.store.access.endpoint, certificate);
  setDefaultCACertificates(isTrusted ? [...trusted, store.certificate] : trusted);
  const { machine, site } = await machineAt(store.endpoint);
  const report = await machine.boot();
  expect(report).toMatchObject({ outcome: "refused", row: 2, cause: expect.stringMatching(cause) });
  const [, command = ""] = /`(openssl .*)`/.exec(report.next ?? "") ?? [];
  const typed = command.replace("<host>:<port>", `127.0.0.1:${store.port}`);
  const { stdout, stderr } = await promisify(execFile)("/bin/sh", ["-c", typed]);
  expect(stdout, stderr).toMatch(shown);
  expect(await site.keys("head.json")).toEqual([]);
});

test("https:// on a port without TLS refuses, and so does http:// on one with TLS", async () => {
  const plain = await machineAt(world.store.access.endpoint.replace("http:", "https:"));
  const next = expect.stringContaining("https:// or http://");
  const cause = expect.stringContaining("tls-refused");
  expect(await plain.machine.boot()).toMatchObject({ outcome: "refused", row: 2, cause, next });
  await using store = await startTlsStore(world.store.access.endpoint, sound);
  const torn = await machineAt(store.endpoint.replace("https:", "http:"));
  expect(await torn.machine.boot()).toMatchObject({ outcome: "refused", row: 2, cause, next });
});

test("a store that is served with TLS boots, and connections torn in the handshake are waited for", async () => {
  await using store = await startTlsStore(world.store.access.endpoint, sound);
  setDefaultCACertificates([...trusted, store.certificate]);
  let isTorn = true;
  const doorway = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    if (isTorn) socket.once("data", () => socket.resetAndDestroy());
    else store.server.emit("connection", socket);
  });
  doorway.listen(0, "127.0.0.1");
  await once(doorway, "listening");
  const address = doorway.address();
  if (address === null || typeof address === "string") throw new Error("the doorway listens on no port");
  const { machine } = await machineAt(`https://127.0.0.1:${address.port}`);
  try {
    const booting = machine.boot({ limits: { maxBackoffMs: 200 } });
    const waits = async () => (machine.events.length > 3 ? true : null);
    await waitFor("boot to wait", waits, { timeoutMs: 20_000 });
    expect(JSON.stringify(machine.events)).toContain("unreachable");
    isTorn = false;
    expect(await booting).toMatchObject({ outcome: "claimed", row: 5 });
  } finally {
    doorway.close();
  }
});

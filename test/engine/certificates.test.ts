import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import { copyKey } from "../../app/edge/certificate-copy.ts";
import { openBucket } from "../../app/replica/bucket.ts";
import { waitFor } from "../../scripts/cli/wait-for.ts";
import { prepareBucket } from "../../scripts/local/bucket-preparation.ts";
import { findFreePorts } from "../../scripts/local/free-ports.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { AcmeServer } from "./edge/acme-server.ts";
import { EdgeMachine, type EdgeSite, startStandIn } from "./edge/edge-machine.ts";

const name = "app.lifeboat.test";
const www = `www.${name}`;
const here = "127.0.0.1";
const address = "https://127.0.0.1/";

let store: SeaweedStore;
let app: Awaited<ReturnType<typeof startStandIn>>;
beforeAll(async () => {
  [store, app] = await Promise.all([startSeaweedStore(), startStandIn()]);
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

/** An empty bucket, and an ACME server and a DNS server that nobody has asked yet. */
async function openSite(shortLivedSeconds?: number): Promise<EdgeSite & AsyncDisposable> {
  const [http = 0, https = 0] = await findFreePorts(2);
  const ports = { http, https };
  const acme = await AcmeServer.start(ports, shortLivedSeconds);
  const bucket = await prepareBucket(store.access, null);
  return { acme, ports, bucket, appPort: app.port, [Symbol.asyncDispose]: () => acme[Symbol.asyncDispose]() };
}

async function waitForCopy({ bucket }: EdgeSite, ...names: string[]): Promise<void> {
  const look = async () => {
    const copy = await openBucket(bucket.config)
      .get(copyKey)
      .catch(() => ({ text: "" }));
    return names.every((one) => copy.text.includes(`/${one}.crt`)) ? true : null;
  };
  await waitFor(`the copy of ${names.join(", ")}`, look, { timeoutMs: 20_000 });
}

test("a name, its www and the address get a certificate each; when both disks are lost, the next machine orders none", async () => {
  await using site = await openSite();
  const { acme } = site;
  for (const one of [name, www]) await acme.setRecord(one, here);
  {
    await using machine = await EdgeMachine.start(site, { domain: name, www: true });
    const answer = await machine.waitFor(`https://${name}/invoices?page=2`);
    expect(answer.headers).toMatch(/strict-transport-security: max-age=31536000/i);
    expect(JSON.parse(answer.body)).toMatchObject({ url: "/invoices?page=2", host: name, scheme: "https" });
    await machine.waitFor(address);
    await waitForCopy(site, name, www, here);
    const redirected = async (url: string) => {
      const { status, headers } = await machine.curl(url);
      return { status, to: /^location: (.*)$/im.exec(headers)?.[1] };
    };
    const https = `:${site.ports.https}`;
    expect(await redirected(`https://${www}/a?b`)).toEqual({ status: 308, to: `https://${name}${https}/a?b` });
    expect(await redirected(`http://${name}/a?b`)).toEqual({ status: 308, to: `https://${name}${https}/a?b` });
    expect(await redirected("http://elsewhere.test/a")).toEqual({ status: 307, to: `https://${here}${https}/a` });
    expect((await machine.curl(`https://${name}/`, ["--http2"])).headers).toMatch(/^HTTP\/2 200/);
    // What a client says of itself does not reach the app.
    const forged = await machine.curl(`https://${name}/`, [
      "-H",
      "X-Forwarded-For: 203.0.113.9",
      "-H",
      "Forwarded: for=1",
    ]);
    expect(JSON.parse(forged.body)).toMatchObject({ forwardedFor: here });
    expect(acme.countOrders()).toBe(3);
  }
  await using next = await EdgeMachine.start(site, { domain: name, www: true });
  for (const url of [`https://${name}/`, address]) await next.waitFor(url);
  expect((await next.curl(`https://${www}/`)).status).toBe(308);
  // Long enough for an order that would come late.
  await sleep(3_000);
  expect(acme.countOrders()).toBe(3);
});

test("nothing is ordered for a name that leads elsewhere; as soon as it leads here it is served, and the address all the time", async () => {
  await using site = await openSite();
  const { acme } = site;
  await acme.setRecord(name, "192.0.2.1");
  await using machine = await EdgeMachine.start(site, { domain: name });
  await machine.waitFor(address);
  await expect(machine.curl(`https://${name}/`)).rejects.toThrow("curl ended with");
  const isTold = async () => (machine.readLog("watch").includes("192.0.2.1") ? true : null);
  await waitFor("the words about the record", isTold, { timeoutMs: 20_000 });
  expect(acme.countOrders()).toBe(1);
  await acme.setRecord(name, here);
  await machine.waitFor(`https://${name}/`);
  expect(acme.countOrders()).toBe(2);
});

test("after a change to a name that leads nowhere the old name goes on, until the new one has its certificate", async () => {
  await using site = await openSite();
  const { acme } = site;
  const other = "other.lifeboat.test";
  await acme.setRecord(name, here);
  await using machine = await EdgeMachine.start(site, { domain: name });
  await machine.waitFor(`https://${name}/`);
  await machine.waitFor(address);
  // By then it is noted what was served.
  await waitForCopy(site, name, here);
  await machine.change({ domain: other });
  await sleep(3_000);
  await machine.waitFor(`https://${name}/`);
  await acme.setRecord(other, here);
  await machine.waitFor(`https://${other}/`);
  const isLetGo = async () =>
    (await machine.curl(`https://${name}/`).catch(() => null))?.status === 200 ? null : true;
  await waitFor("the end of the old name", isLetGo, { timeoutMs: 20_000 });
  expect(acme.countOrders()).toBe(3);
});

test("while the ACME server is away what is there is served, also after a restart, and plain HTTP needs none", async () => {
  await using site = await openSite();
  const { acme } = site;
  await using machine = await EdgeMachine.start(site, { domain: "ip" });
  await machine.waitFor(address);
  await acme.switchOff();
  await machine.stopCaddy();
  await machine.startCaddy({ domain: "ip" });
  await machine.waitFor(address);
  await machine.stopCaddy();
  await machine.startCaddy({ domain: "none" });
  await machine.waitFor("http://127.0.0.1/");
});

test("a certificate that is about to end is renewed, and copied again", async () => {
  await using site = await openSite(45);
  const { acme, bucket } = site;
  await using machine = await EdgeMachine.start(site, { domain: "ip" });
  await machine.waitFor(address);
  await waitForCopy(site, here);
  const readCopy = async () => (await openBucket(bucket.config).get(copyKey)).text;
  const before = await readCopy();
  const renewed = async () => {
    // Caddy looks every ten minutes, and at each start.
    await sleep(5_000);
    await machine.stopCaddy();
    await machine.startCaddy({ domain: "ip" });
    await machine.waitFor(address);
    return acme.countOrders() > 1 && (await readCopy()) !== before ? true : null;
  };
  await waitFor("the renewal", renewed, { timeoutMs: 90_000 });
});

import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

import { waitFor } from "../../../app/cli/wait-for.ts";
import { openBucket } from "../../../app/replica/bucket.ts";
import { AcmeServer } from "../../../scripts/local/acme-server.ts";
import { prepareBucket } from "../../../scripts/local/bucket-preparation.ts";
import { type SeaweedStore, startSeaweedStore } from "../../../scripts/local/seaweed-store.ts";
import { EdgeMachine } from "./edge-machine.ts";

const here = "127.0.0.1";
const name = "app.lifeboat.test";
const www = `www.${name}`;
const other = "other.lifeboat.test";
const named = { LIFEBOAT_DOMAIN: name };
const address = `https://${here}/`;

let store: SeaweedStore;
let acme: AcmeServer;
let machine: EdgeMachine;
let bucket: Awaited<ReturnType<typeof prepareBucket>>["config"];
let cleanup: AsyncDisposableStack;
beforeAll(async () => {
  store = await startSeaweedStore();
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  acme = cleanup.use(await AcmeServer.start());
  ({ config: bucket } = await prepareBucket(store.access, null));
  machine = cleanup.use(await EdgeMachine.make(acme, bucket));
});
afterEach(() => cleanup.disposeAsync());

/** The certificate of the name, as it was copied; its metadata change more often. */
async function readCertificate(): Promise<string> {
  const { files }: { files: { path: string; text: string }[] } = JSON.parse(
    (await openBucket(bucket).get("tls/certificates.json")).text,
  );
  return files.find(({ path }) => path.endsWith(`/${name}.crt`))?.text ?? "";
}

/** Waits for the copy of the certificates in the bucket to hold a name. */
async function waitForCopy(wanted: string): Promise<void> {
  const probe = async () => {
    const copy = await openBucket(bucket)
      .get("tls/certificates.json")
      .catch(() => null);
    return copy?.text.includes(`/${wanted}.crt"`) === true ? true : null;
  };
  await waitFor("the copy of the certificates", probe, { timeoutMs: 20_000 });
}

test("two names and the address get certificates; when both disks are lost, nothing is ordered again", async () => {
  await acme.setAddress(name, here);
  await acme.setAddress(www, here);
  await machine.start({ ...named, LIFEBOAT_WWW: "true" });
  const firstMs = await machine.waitUntilServed(`https://${name}/`);
  await waitFor("www", async () => ((await machine.ask(`https://${www}/a?b=c`))?.status === 308 ? true : null), {
    timeoutMs: 30_000,
  });
  await machine.waitUntilServed(address);
  expect(acme.countOrders()).toBe(3);
  for (const wanted of [name, www, here]) await waitForCopy(wanted);
  expect(machine.readServed()).toEqual({ format: 1, mode: "name", name, www: true });
  await machine.stop();
  machine.loseDisks();
  await machine.start({ ...named, LIFEBOAT_WWW: "true" });
  const againMs = await machine.waitUntilServed(`https://${name}/`);
  await machine.waitUntilServed(address);
  await sleep(3_000);
  expect(acme.countOrders()).toBe(3);
  console.info(`edge: first certificate after ${firstMs} ms, after both disks were lost ${againMs} ms and 0 orders`);
});

test("an address gets a certificate; plain HTTP carries nothing but the way to HTTPS", async () => {
  await machine.start({ LIFEBOAT_DOMAIN: "ip" });
  const ms = await machine.waitUntilServed(address);
  expect(acme.countOrders()).toBe(1);
  console.info(`edge: certificate of the address after ${ms} ms`);
  const answer = await machine.ask(address, "-H", "X-Forwarded-For: 6.6.6.6", "-H", "Forwarded: for=6.6.6.6");
  const { headers } = JSON.parse(answer?.body ?? "{}");
  expect([headers["x-forwarded-for"], headers["x-forwarded-proto"], headers.forwarded]).toEqual([
    here,
    "https",
    undefined,
  ]);
  expect(await machine.ask("http://unknown.example/ready")).toMatchObject({ status: 307 });
  expect(await machine.ask(address, "-H", "Host: unknown.example")).toMatchObject({ status: 421, body: "" });
});

test("a wrong record orders nothing, and the name is served as soon as it is right", async () => {
  await acme.setAddress(name, "192.0.2.1");
  await machine.start(named);
  await machine.waitUntilServed(address);
  await sleep(6_000);
  expect(acme.countOrders()).toBe(1);
  expect(machine.readLog()).toContain(`the A record of ${name} must be ${here} (it is 192.0.2.1)`);
  await acme.removeAddress(name);
  await acme.setAddress(name, here);
  await machine.waitUntilServed(`https://${name}/`);
  expect(acme.countOrders()).toBe(2);
});

test("while ACME is down the old certificates are served, also after a start, and a rebuild needs none", async () => {
  await acme.setAddress(name, here);
  await machine.start(named);
  await machine.waitUntilServed(`https://${name}/`);
  await machine.waitUntilServed(address);
  await waitForCopy(here);
  await waitForCopy(name);
  await acme.stopIssuing();
  await machine.stop();
  machine.loseDisks();
  await machine.start(named);
  await machine.waitUntilServed(`https://${name}/`);
  await machine.waitUntilServed(address);
});

test("a name that is changed to one that leads elsewhere leaves the one before, until it is right", async () => {
  await acme.setAddress(name, here);
  await machine.start(named);
  await machine.waitUntilServed(`https://${name}/`);
  await waitForCopy(name);
  expect(machine.readServed()).toMatchObject({ name });
  await machine.waitUntilServed(address);
  const orders = acme.countOrders();
  await machine.change({ LIFEBOAT_DOMAIN: other });
  await sleep(4_000);
  await machine.waitUntilServed(`https://${name}/`);
  await machine.stop();
  await machine.start({ LIFEBOAT_DOMAIN: other });
  await machine.waitUntilServed(`https://${name}/`);
  expect(acme.countOrders()).toBe(orders);
  await acme.setAddress(other, here);
  await machine.waitUntilServed(`https://${other}/`);
  const gone = async () => ((await machine.ask(`https://${name}/`)) === null ? true : null);
  await waitFor("the old name to go", gone, { timeoutMs: 20_000 });
  expect(acme.countOrders()).toBe(orders + 1);
});

test("a machine that served plain HTTP goes on until there is a certificate", async () => {
  await machine.start({ LIFEBOAT_DOMAIN: "none" });
  await waitFor("what is served to be noted", async () => (machine.readServed() === null ? null : true), {
    timeoutMs: 10_000,
  });
  await acme.stopIssuing();
  await machine.change({ LIFEBOAT_DOMAIN: "ip" });
  await sleep(4_000);
  expect(await machine.ask(`http://${here}/`)).toMatchObject({ status: 200 });
});

test("certificates that are over are renewed with one order each, and the new ones are copied", async () => {
  await acme.stopIssuing();
  await acme.startIssuing(30);
  await acme.setAddress(name, here);
  await machine.start(named);
  await machine.waitUntilServed(`https://${name}/`);
  await machine.waitUntilServed(address);
  const orders = acme.countOrders();
  await waitForCopy(name);
  await waitForCopy(here);
  const copied = await readCertificate();
  // ACME's advice when to renew is a random moment of a window, so nothing earlier is sure.
  await sleep(31_000);
  await machine.stop();
  await machine.start(named);
  const renewed = async () => (acme.countOrders() >= orders + 2 && (await readCertificate()) !== copied ? true : null);
  await waitFor("the renewal and its copy", renewed, { timeoutMs: 30_000, everyMs: 500 });
  expect(acme.countOrders()).toBe(orders + 2);
});

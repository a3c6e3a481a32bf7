import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { runCommand } from "../../../scripts/build/run-command.ts";
import { AcmeServer } from "../../../scripts/local/acme-server.ts";
import { prepareBucket } from "../../../scripts/local/bucket-preparation.ts";
import { startSeaweedStore } from "../../../scripts/local/seaweed-store.ts";
import { EdgeMachine } from "./edge-machine.ts";

const name = "app.lifeboat.test";
// curl of Debian 12 and 13 has no HTTP/3.
const http3 = `
import asyncio, sys
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
name, port, root = sys.argv[1:]
class Client(QuicConnectionProtocol):
    def quic_event_received(self, event):
        for got in self.h3.handle_event(event):
            if isinstance(got, HeadersReceived): print(dict(got.headers)[b":status"].decode())
            if isinstance(got, DataReceived): print(got.data.decode())
            if getattr(got, "stream_ended", False): self.done.set()
async def main():
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, server_name=name)
    configuration.load_verify_locations(root)
    async with connect("127.0.0.1", int(port), configuration=configuration, create_protocol=Client) as client:
        client.h3, client.done = H3Connection(client._quic), asyncio.Event()
        stream = client._quic.get_next_available_stream_id()
        headers = {":method": "GET", ":scheme": "https", ":authority": name, ":path": "/by-http3"}
        client.h3.send_headers(stream, [(key.encode(), value.encode()) for key, value in headers.items()], True)
        client.transmit()
        await asyncio.wait_for(client.done.wait(), 10)
asyncio.run(main())`;
const hasHttp3 = spawnSync("python3", ["-c", "import aioquic"]).status === 0;
const missing = ["chromium", "certutil"].filter((command) => spawnSync("which", [command]).status !== 0);

test("a client of HTTP/3 gets the app", async ({ skip }) => {
  skip(!hasHttp3, "python3 has no aioquic");
  await using site = await openSite();
  const { acme } = site;
  const root = await acme.writeIssuedRoot();
  const words = ["-c", http3, name, String(acme.ports.https), root];
  const said = await runCommand("python3", words, { timeoutMs: 30_000 });
  expect(said).toMatch(/^200\n/);
  expect(said).toContain("/by-http3");
});

test("a browser that trusts the issuer opens the name by HTTPS, and refuses it where it does not", async ({ skip }) => {
  skip(missing.length > 0, `${missing.join(" and ")} is not installed`);
  await using site = await openSite();
  const { acme } = site;
  using home = makeHome();
  const open = async () => {
    const where = `MAP ${name}:443 127.0.0.1:${acme.ports.https}, MAP ${name} 127.0.0.1`;
    const words = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${join(home.path, "profile")}`];
    const env = { PATH: process.env["PATH"], HOME: home.path };
    const rules = `--host-resolver-rules=${where}`;
    return await runCommand("chromium", [...words, rules, "--dump-dom", `https://${name}/from-a-browser`], {
      timeoutMs: 60_000,
      env,
    });
  };
  expect(await open()).not.toContain("from-a-browser");
  const database = join(home.path, ".pki/nssdb");
  mkdirSync(database, { recursive: true });
  const words = ["-d", `sql:${database}`];
  await runCommand("certutil", [...words, "-N", "--empty-password"], { timeoutMs: 20_000 });
  const root = ["-n", "pebble", "-t", "C,,", "-i", await acme.writeIssuedRoot()];
  await runCommand("certutil", [...words, "-A", ...root], { timeoutMs: 20_000 });
  expect(await open()).toContain("/from-a-browser");
});

/** An edge that serves the name. */
async function openSite(): Promise<AsyncDisposable & { acme: AcmeServer }> {
  await using made = new AsyncDisposableStack();
  const store = made.use(await startSeaweedStore());
  const acme = made.use(await AcmeServer.start());
  const { config } = await prepareBucket(store.access, null);
  const machine = made.use(await EdgeMachine.make(acme, config));
  await acme.setAddress(name, "127.0.0.1");
  await machine.start({ LIFEBOAT_DOMAIN: name });
  await machine.waitUntilServed(`https://${name}/`);
  const all = made.move();
  return { acme, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

function makeHome(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), "lifeboat-browser-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

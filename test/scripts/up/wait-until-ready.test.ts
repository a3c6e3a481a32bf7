import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";

import { expect, test } from "vitest";

import { listenOnLoopback } from "../../../scripts/local/listen-on-loopback.ts";
import { explainCertificate, waitUntilReady } from "../../../scripts/up/wait-until-ready.ts";
import { makeTemporaryDirectory } from "../../database/temporary-directory.ts";
import { makeCertificate } from "../../engine/aws/certificate.ts";

const hasSsh = true;

test("a machine that was brought up just now and does not answer from here is behind its firewall", async () => {
  const silence = waitUntilReady(await findSilentUrl(), {
    timeoutMs: 100,
    hasAnsweredItself: true,
    takesAnyCertificate: false,
    hasSsh,
  });
  await expect(silence).rejects.toThrow(/although it does on the machine: is your address in adminCidrs/);
});

test("about an untouched machine nothing is claimed, and all possible remedies are named", async () => {
  const silence = waitUntilReady(await findSilentUrl(), {
    timeoutMs: 100,
    hasAnsweredItself: false,
    takesAnyCertificate: false,
    hasSsh,
  });
  await expect(silence).rejects.not.toThrow("it does on the machine");
  await expect(silence).rejects.toThrow(/adminCidrs.*ssh root@127.0.0.1 systemctl start lifeboat.target.*--rebuild/);
});

test("a machine that answers and is not ready is behind no firewall, and may be stopped", async () => {
  await using machine = await serve(503);
  const refusal = waitUntilReady(machine.url, {
    timeoutMs: 100,
    hasAnsweredItself: false,
    takesAnyCertificate: false,
    hasSsh,
  });
  await expect(refusal).rejects.toThrow(/the machine answers, and is not ready.*systemctl start lifeboat.target/);
  await expect(refusal).rejects.not.toThrow("adminCidrs");
});

test("where SSH is closed nobody is told to use it, but what works there", async () => {
  await using machine = await serve(503);
  const closed = { timeoutMs: 100, hasAnsweredItself: false, takesAnyCertificate: false, hasSsh: false };
  for (const url of [machine.url, await findSilentUrl()]) {
    const refusal = waitUntilReady(url, closed);
    await expect(refusal).rejects.toThrow(/restart the server at Hetzner.*npm run up -- --rebuild/);
    await expect(refusal).rejects.not.toThrow("ssh root");
  }
  expect(explainCertificate({ address: "203.0.113.7", hasSsh: false })).toMatch(
    /SSH is closed.*adminCidrs\[0\].* && npm run up, then ssh root@203.0.113.7 journalctl --unit caddy/,
  );
});

test("the state of its replica is returned", async () => {
  await using machine = await serve(200);
  await expect(
    waitUntilReady(machine.url, { timeoutMs: 5_000, hasAnsweredItself: true, takesAnyCertificate: false, hasSsh }),
  ).resolves.toBe("living");
});

test("a machine that serves and has no certificate yet is told from one that is silent", async () => {
  // A listener without a certificate breaks the handshake off with an alert, as Caddy does before its order is done.
  await using machine = await listenOnLoopback(createSecureServer({}));
  const url = machine.url.replace("http:", "https:");
  const refusal = waitUntilReady(url, {
    timeoutMs: 100,
    hasAnsweredItself: true,
    takesAnyCertificate: false,
    hasSsh,
  });
  await expect(refusal).rejects.toThrow(
    /has no certificate for 127\.0\.0\.1 .*a private address, which no public authority/,
  );
});

test("a certificate that nobody knows is taken from an authority of one's own only", async () => {
  using directory = makeTemporaryDirectory();
  const { path, keyPath } = await makeCertificate(directory.path);
  const files = { cert: readFileSync(path), key: readFileSync(keyPath) };
  await using machine = await listenOnLoopback(createSecureServer(files, (_request, response) => response.end(ready)));
  const url = machine.url.replace("http:", "https:");
  const wait = { timeoutMs: 2_000, hasAnsweredItself: true, hasSsh };
  await expect(waitUntilReady(url, { ...wait, takesAnyCertificate: true })).resolves.toBe("living");
  await expect(waitUntilReady(url, { ...wait, timeoutMs: 100, takesAnyCertificate: false })).rejects.toThrow(
    "has no certificate for 127.0.0.1 that this computer trusts",
  );
});

test("a public address gets no advice that is for a private one", async () => {
  expect(explainCertificate({ address: "203.0.113.7", hasSsh })).toMatch(
    /goes on trying.*Why: ssh root@203.0.113.7 journalctl --unit caddy/,
  );
  for (const address of ["10.1.2.3", "192.168.1.1", "172.20.0.1", "100.64.0.1", "169.254.1.1"])
    expect(explainCertificate({ address, hasSsh })).toContain("is a private address");
});

const ready = JSON.stringify({ state: "living", uploadProgress: null });

function serve(status: number) {
  return listenOnLoopback(createServer((_request, response) => response.writeHead(status).end(ready)));
}

/** Where something listened a moment ago, and nothing does now. */
async function findSilentUrl(): Promise<string> {
  await using machine = await serve(200);
  return machine.url;
}

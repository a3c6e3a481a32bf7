import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { afterEach, beforeEach, expect, test } from "vitest";

import { letsEncrypt, readEdgeSettings } from "../../app/edge/settings.ts";
import { EdgeWatch } from "../../app/edge/watch.ts";
import { recordLog } from "../recorded-log.ts";
import { addCertificate, certificateFiles } from "./stored-certificate.ts";

const name = "app.example.com";

let folder: string;
let caddy: Server;
/** What Caddy was told to serve, in order. */
let loaded: string[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "lifeboat-watch-"));
  for (const part of ["state/caddy", "run"]) mkdirSync(join(folder, part), { recursive: true });
  loaded = [];
  caddy = createServer((request, response) => {
    const keep = async () => {
      loaded.push(await text(request));
      response.end();
    };
    void keep();
  });
  await once(caddy.listen(join(folder, "run/admin.sock")), "listening");
});
afterEach(() => {
  caddy.close();
  rmSync(folder, { recursive: true });
});

const storage = () => join(folder, "state/caddy");

function openWatch(): EdgeWatch {
  const settings = readEdgeSettings({
    LIFEBOAT_DOMAIN: name,
    LIFEBOAT_IPV4: "203.0.113.7",
    LIFEBOAT_ACME_DIRECTORY: letsEncrypt,
    LIFEBOAT_BUCKET: "a-bucket",
    LIFEBOAT_REGION: "auto",
    LIFEBOAT_EDGE_ACCESS_KEY_ID: "key",
    LIFEBOAT_EDGE_SECRET_ACCESS_KEY: "secret",
    LIFEBOAT_EDGE_STATE_DIR: join(folder, "state"),
    LIFEBOAT_EDGE_RUN_DIR: join(folder, "run"),
    // Nobody answers there: what is served must not hang on DNS.
    LIFEBOAT_DNS_SERVERS: "127.0.0.1:1",
  });
  return new EdgeWatch({ ...settings, bucket: null }, recordLog().log);
}

test("a name that is renewed just now stays, whichever of its files is the new one already", async () => {
  const { certificate, key } = certificateFiles(storage(), name);
  await addCertificate(storage(), name);
  const next = join(folder, "next");
  await addCertificate(next, name);
  const renewed = certificateFiles(next, name);
  const watch = openWatch();
  await watch.look();
  expect(loaded).toEqual([expect.stringContaining(`https://${name} {`)]);
  cpSync(key, `${key}.old`);
  renameSync(renewed.key, key);
  await watch.look();
  renameSync(`${key}.old`, key);
  renameSync(renewed.certificate, certificate);
  await watch.look();
  expect(loaded).toHaveLength(1);
});

test("a name whose certificate is gone, or was never whole, does not come in without its records", async () => {
  const { key } = certificateFiles(storage(), name);
  await addCertificate(storage(), name);
  rmSync(key);
  await openWatch().look();
  expect(loaded).toEqual([expect.not.stringContaining(name)]);

  await addCertificate(storage(), name);
  const watch = openWatch();
  await watch.look();
  expect(loaded).toHaveLength(2);
  rmSync(join(storage(), "certificates"), { recursive: true });
  await watch.look();
  expect(loaded).toEqual([loaded[0], expect.stringContaining(name), loaded[0]]);
  expect(existsSync(key)).toBe(false);
  expect(readFileSync(join(folder, "run/Caddyfile"), "utf8")).toBe(loaded[0]);
});

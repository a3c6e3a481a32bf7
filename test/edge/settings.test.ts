import { expect, test } from "vitest";

import { letsEncrypt, readEdgeSettings } from "../../app/edge/settings.ts";

const secret = "a-secret-key-of-the-edge";
const complete = {
  LIFEBOAT_DOMAIN: "app.example.com",
  LIFEBOAT_WWW: "true",
  LIFEBOAT_IPV4: "203.0.113.7",
  LIFEBOAT_IPV6: "2001:DB8:0::1",
  LIFEBOAT_BUCKET: "bucket",
  LIFEBOAT_REGION: "eu-central-1",
  LIFEBOAT_EDGE_ACCESS_KEY_ID: "key",
  LIFEBOAT_EDGE_SECRET_ACCESS_KEY: secret,
  LIFEBOAT_EDGE_STATE_DIR: "/state",
  LIFEBOAT_EDGE_RUN_DIR: "/run",
};

test("a machine's settings are read, and Let's Encrypt is asked unless another directory is named", () => {
  expect(readEdgeSettings(complete)).toMatchObject({
    domain: { mode: "name", name: "app.example.com", www: true },
    addresses: ["203.0.113.7", "2001:db8::1"],
    acmeDirectory: letsEncrypt,
    ports: { http: 80, https: 443, app: 8080 },
  });
});

test("a machine from before the edge has no settings of it: plain HTTP, no address, no bucket", () => {
  const { LIFEBOAT_EDGE_STATE_DIR, LIFEBOAT_EDGE_RUN_DIR } = complete;
  expect(readEdgeSettings({ LIFEBOAT_EDGE_STATE_DIR, LIFEBOAT_EDGE_RUN_DIR })).toMatchObject({
    domain: { mode: "none" },
    addresses: [],
    bucket: null,
  });
});

test("every fault is told at once, and no secret", () => {
  const wrong = {
    ...complete,
    LIFEBOAT_DOMAIN: "App.example.com",
    LIFEBOAT_IPV4: "2001:db8::1",
    LIFEBOAT_IPV6: "203.0.113.7",
    LIFEBOAT_BUCKET: "",
    LIFEBOAT_ACME_DIRECTORY: "acme.example.com",
    LIFEBOAT_HTTPS_PORT: "0",
  };
  const read = () => readEdgeSettings(wrong);
  for (const name of ["DOMAIN", "IPV4", "IPV6", "BUCKET", "ACME_DIRECTORY", "HTTPS_PORT"])
    expect(read).toThrow(new RegExp(`LIFEBOAT_${name} `));
  expect(read).not.toThrow(secret);
});

test.each([
  "app.example.com\nadmin off",
  "app.example.com {",
  "203.0.113.7",
  "localhost",
  "*.example.com",
  "a..b",
  "-a.example.com",
])("the domain %j is refused: it would be written into Caddy's configuration", (domain) => {
  expect(() => readEdgeSettings({ ...complete, LIFEBOAT_DOMAIN: domain })).toThrow("LIFEBOAT_DOMAIN must be");
});

test.each([
  "https://acme.example.com/dir\nadmin off",
  "https://acme.example.com/a b",
  "https://acme.example.com/{$HOME}",
  "https://acme.example.com/{",
  "https://acme.example.com/`",
])("the ACME directory %j is refused for the same reason", (directory) => {
  const read = () => readEdgeSettings({ ...complete, LIFEBOAT_ACME_DIRECTORY: directory });
  expect(read).toThrow("LIFEBOAT_ACME_DIRECTORY must hold no blanks");
});

test("an IPv6 address with a zone is refused, and not only by an error of the URL", () => {
  expect(() => readEdgeSettings({ ...complete, LIFEBOAT_IPV6: "fe80::1%eth0" })).toThrow("LIFEBOAT_IPV6 must be");
});

test("www without a name is refused", () => {
  expect(() => readEdgeSettings({ ...complete, LIFEBOAT_DOMAIN: "ip" })).toThrow("LIFEBOAT_WWW is true");
});

import { join } from "node:path";

import { runCommand } from "../../../scripts/build/run-command.ts";

export type Certificate = Readonly<{ path: string; keyPath: string }>;

// Of the stores, of the machines of the Hetzner double, and of their names.
const addresses = ["127.0.0.1", ...Array.from({ length: 250 }, (_, index) => `127.20.0.${index + 1}`)];
const names = ["app.example.com", "www.app.example.com"];

/** Makes a certificate for everything that speaks TLS in the tests, valid for a day, with the system's openssl. */
export async function makeCertificate(directory: string): Promise<Certificate> {
  const [path, keyPath] = [join(directory, "certificate.pem"), join(directory, "key.pem")];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyPath];
  const alternatives = [...addresses.map((address) => `IP:${address}`), ...names.map((name) => `DNS:${name}`)];
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", `subjectAltName=${alternatives.join(",")}`];
  await runCommand("openssl", ["req", "-x509", ...key, ...subject, "-days", "1", "-out", path], { timeoutMs: 20_000 });
  return { path, keyPath };
}

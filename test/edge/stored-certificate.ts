import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";

import { runCommand } from "../../scripts/build/run-command.ts";

/** Caddy's folder for what Let's Encrypt has issued. */
export const issuer = "certificates/acme-v02.api.letsencrypt.org-directory";

/** Where Caddy stores the certificate of a name and its key. */
export function certificateFiles(storage: string, name: string): { certificate: string; key: string } {
  const stem = join(storage, issuer, name, name);
  return { certificate: `${stem}.crt`, key: `${stem}.key` };
}

/** A certificate and its key as Caddy stores them, for a day. */
export async function addCertificate(storage: string, name: string): Promise<void> {
  const { certificate, key } = certificateFiles(storage, name);
  mkdirSync(dirname(certificate), { recursive: true });
  const words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  const subject = ["-subj", "/", "-addext", `subjectAltName=DNS:${name}`, "-keyout", key, "-out", certificate];
  await runCommand("openssl", [...words, ...subject], { timeoutMs: 20_000 });
}

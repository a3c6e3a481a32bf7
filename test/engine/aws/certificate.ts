import { join } from "node:path";

import { runCommand } from "../../../scripts/build/run-command.ts";

export type Certificate = Readonly<{ path: string; keyPath: string }>;

/** Makes a certificate for 127.0.0.1 that is valid for a day, with the system's openssl. */
export async function makeCertificate(directory: string): Promise<Certificate> {
  const [path, keyPath] = [join(directory, "certificate.pem"), join(directory, "key.pem")];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyPath];
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  await runCommand("openssl", ["req", "-x509", ...key, ...subject, "-days", "1", "-out", path], { timeoutMs: 20_000 });
  return { path, keyPath };
}

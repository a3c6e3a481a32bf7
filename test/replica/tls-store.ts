import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as forward, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { listenOnLoopback } from "../../scripts/local/listen-on-loopback.ts";

/** What is wrong with the certificate of the store. All are signed by themselves. */
export type Certificate = Readonly<{ name: string; notBefore: string; notAfter: string }>;
export type TlsStore = AsyncDisposable &
  Readonly<{ endpoint: string; port: string; server: Server; certificate: string }>;

/** Puts TLS in front of a store, with a certificate made by openssl. */
export async function startTlsStore(store: string, certificate: Certificate): Promise<TlsStore> {
  const { key, cert } = makeCertificate(certificate);
  const server = createServer({ key, cert }, (request, response) => pass(store, request, response));
  const { url, [Symbol.asyncDispose]: close } = await listenOnLoopback(server);
  const { port } = new URL(url);
  const endpoint = `https://127.0.0.1:${port}`;
  return { endpoint, port, server, certificate: cert, [Symbol.asyncDispose]: close };
}

function pass(store: string, request: IncomingMessage, response: ServerResponse): void {
  const { hostname: host, port } = new URL(store);
  const { method, url: path, headers } = request;
  const passed = forward({ host, port, method, path, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(response);
  });
  passed.on("error", () => response.destroy());
  request.pipe(passed);
}

/** `openssl ca`, for no shorter command of openssl 3.0 takes both times. */
function makeCertificate({ name, notBefore, notAfter }: Certificate): { key: string; cert: string } {
  const directory = mkdtempSync(join(tmpdir(), "lifeboat-tls-"));
  const at = (file: string) => join(directory, file);
  const config = [
    `[ca]\ndefault_ca=d\n[d]\ndatabase=${at("index")}\nnew_certs_dir=${directory}\nserial=${at("serial")}`,
    "default_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied",
    `[e]\nsubjectAltName=${name}\nbasicConstraints=CA:true\n[req]\ndistinguished_name=n\n[n]\n`,
  ];
  try {
    writeFileSync(at("config"), config.join("\n"));
    writeFileSync(at("index"), "");
    writeFileSync(at("serial"), "01");
    const named = ["-subj", "/CN=store", "-config", at("config")];
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", ...named, "-keyout", at("key"), "-out", at("request"));
    const times = ["-startdate", notBefore, "-enddate", notAfter];
    const signed = ["-batch", "-notext", "-selfsign", "-keyfile", at("key"), "-in", at("request"), "-out", at("cert")];
    openssl("ca", "-config", at("config"), ...signed, ...times);
    return { key: readFileSync(at("key"), "utf8"), cert: readFileSync(at("cert"), "utf8") };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function openssl(...words: string[]): void {
  execFileSync("openssl", words, { stdio: "pipe" });
}

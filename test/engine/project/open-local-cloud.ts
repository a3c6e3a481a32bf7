import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { CreateBucketCommand } from "@aws-sdk/client-s3";
import type { Stack } from "@pulumi/pulumi/automation/index.js";

import { AcmeServer } from "../../../scripts/local/acme-server.ts";
import { openAccount } from "../aws/account.ts";
import { serveHcloud } from "../hcloud/serve-hcloud.ts";
import { VirtualServers } from "../machines/virtual-servers.ts";
import { type Checkout, checkOut } from "./check-out.ts";
import { describeGivenStore } from "./given-store.ts";
import { type Ground, makeDirectory, openGround } from "./open-project.ts";
import { openShippedStack } from "./open-stack.ts";

/** A whole cloud on this computer, a checkout of the program and its stack "production". */
export type LocalCloud = Ground &
  Readonly<{ servers: VirtualServers; acme: AcmeServer; checkout: Checkout; stack: Stack }>;

/** The bucket of its stack. */
export const localBucket = "lifeboat-local";

/**
 * Opens a cloud whose servers are real machines: the double of Hetzner's API boots each in QEMU with its user-data. A
 * real ACME server certifies it; a real S3 server, as a given store, has its bucket. Nobody reaches it by SSH.
 */
export async function openLocalCloud(): Promise<LocalCloud> {
  await using made = new AsyncDisposableStack();
  const directory = await makeDirectory(made);
  const account = made.use(await openAccount(directory));
  const acme = made.use(await AcmeServer.start({ edgePorts: { http: 80, https: 443 } }));
  const machines = join(directory, "machines");
  await mkdir(machines);
  const doors = [Number(new URL(account.plainEndpoint).port), acme.ports.acme];
  const authority = readFileSync(acme.rootFile, "utf8");
  const servers = made.use(new VirtualServers({ directory: machines, doors, authority }));
  const hetzner = made.use(await serveHcloud(servers));
  const ground = await openGround(made, { directory, hetzner, account, environment: {}, searchPath: [] });
  await account.s3.send(new CreateBucketCommand({ Bucket: localBucket }));
  const checkout = await checkOut(ground);
  const stack = await openShippedStack(ground, checkout, {
    config: {
      ...describeGivenStore(ground, { bucket: localBucket, createBucket: false, endpoint: account.plainEndpoint }),
      acmeDirectory: { value: acme.directory },
    },
  });
  await stack.removeConfig("adminCidrs");
  const login = {
    HCLOUD_TOKEN: hetzner.token,
    HCLOUD_ENDPOINT: hetzner.endpoint,
    AWS_ACCESS_KEY_ID: account.owner.accessKeyId,
    AWS_SECRET_ACCESS_KEY: account.owner.secretAccessKey,
    // So that a curl in that shell trusts what this cloud certifies.
    CURL_CA_BUNDLE: await acme.writeIssuedRoot(),
  };
  const shell = { ...ground.shell, ...login };
  const everything = made.move();
  return { ...ground, shell, servers, acme, checkout, stack, [Symbol.asyncDispose]: () => everything.disposeAsync() };
}

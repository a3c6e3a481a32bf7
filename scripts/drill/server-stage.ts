import { createHash, randomBytes, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";

import { Refused } from "../../app/cli/command-line.ts";
import { type BuiltRelease, releaseFolder } from "../../cloud-init/built-release.ts";
import { renderUserData } from "../../cloud-init/user-data.ts";
import { buildRelease } from "../build/build-release.ts";
import { uploadRelease } from "../deploy/upload-release.ts";
import { AcmeServer } from "../local/acme-server.ts";
import { type PreparedBucket, prepareBucket } from "../local/bucket-preparation.ts";
import { isFree } from "../local/free-ports.ts";
import { openUploadStore } from "../store/open-client.ts";
import { findObstacle } from "../virtual/find-obstacle.ts";
import { makeShellKey } from "../virtual/guest-shell.ts";
import { forwardsOf } from "../virtual/hetzner-server.ts";
import { hostAddress } from "../virtual/qemu-arguments.ts";
import { makeServerImage } from "../virtual/server-image.ts";
import { renderVendorData } from "../virtual/vendor-data.ts";
import { Ledger } from "./ledger.ts";
import { seedRandom } from "./random.ts";
import type { ServerSite } from "./server-machine.ts";
import { makeDirectory, openOwnStore, removeDirectory, type Scene, type StageOptions } from "./stage.ts";

/** The machine room. */
export type ServerStage = Scene & Readonly<{ site: ServerSite; acme: AcmeServer }>;

const slowness = 4;
const memoryMb = 1024;
const addressTries = 50;

/**
 * Prepares a drill with whole machines: their image, a store with a release, an ACME server. Throws Refused, in one
 * sentence, where none can run.
 */
export async function openServerStage(house: StageOptions): Promise<ServerStage & AsyncDisposable> {
  const { options, transcript, leftovers } = house;
  const obstacle = findObstacle({ suite: options.debian, servers: 2, memoryMb });
  if (obstacle !== null) throw new Refused(obstacle);
  await using made = new AsyncDisposableStack();
  const directory = makeDirectory(options, leftovers);
  made.defer(() => removeDirectory(directory, house));
  const image = await transcript.step(
    `the image of Debian ${options.debian}`,
    () => makeServerImage(options.debian),
    () => "made once, and kept in the cache",
  );
  const { bucket, release } = await fillStore(house, made);
  const address = await findAddress();
  const edgePorts = { http: 80, https: 443 };
  const acme = made.use(await AcmeServer.start({ leftovers, edgePorts, addresses: [hostAddress] }));
  const token = randomBytes(24).toString("base64url");
  const site = {
    directory,
    image,
    address,
    token,
    publicPorts: forwardsOf(address),
    key: await makeShellKey(directory),
    userData: renderFor({ bucket, release, address, acme, token, filesystem: options.filesystem }),
    vendorData: renderVendorData(readFileSync(acme.rootFile, "utf8")),
    ca: readFileSync(await acme.writeIssuedRoot(), "utf8"),
  };
  const stage = { options, transcript, ledger: new Ledger(), random: seedRandom(options.seed), slowness };
  const everything = made.move();
  const dispose = () => everything.disposeAsync();
  return { ...stage, spotlight: { machine: null }, site, acme, [Symbol.asyncDispose]: dispose };
}

/** Starts a store with all that a machine fetches from it. */
async function fillStore({ options, transcript, leftovers }: StageOptions, made: AsyncDisposableStack) {
  const release = await transcript.step(
    "the release is built",
    () => buildRelease("linux-x64", releaseFolder),
    ({ sha256, bytes }) => `${sha256.slice(0, 12)}, ${(bytes / 1e6).toFixed(1)} MB`,
  );
  const store = made.use(await openOwnStore({ leftovers }, options));
  const bucket = await transcript.step(
    "bucket, sentinel and release are in the store",
    async () => {
      const prepared = await prepareBucket(store.access, null);
      await putRelease(prepared, release);
      return prepared;
    },
    ({ config }) => config.bucket,
  );
  return { bucket, release: release.sha256 };
}

async function putRelease({ config }: PreparedBucket, release: BuiltRelease): Promise<void> {
  const place = {
    LIFEBOAT_BUCKET: config.bucket,
    LIFEBOAT_REGION: config.region,
    LIFEBOAT_ENDPOINT: config.endpoint,
    LIFEBOAT_PATH_STYLE: String(config.pathStyle),
    LIFEBOAT_ACCESS_KEY_ID: config.accessKeyId,
  };
  using store = await openUploadStore(place, async () => config.secretAccessKey);
  await uploadRelease(store, release);
}

/** An address of loopback's on which nobody has the ports of a server. */
async function findAddress(): Promise<string> {
  for (let attempt = 0; attempt < addressTries; attempt += 1) {
    const address = `127.20.${randomInt(1, 255)}.${randomInt(1, 255)}`;
    const free = await Promise.all(forwardsOf(address).map(({ port }) => isFree(port, address)));
    if (free.every(Boolean)) return address;
  }
  throw new Refused(
    "ports 22, 80 and 443 are in use on every address of loopback: end what listens on all of them, or stay in the process room: npm run drill",
  );
}

type MachineFacts = Readonly<{
  bucket: PreparedBucket;
  release: string;
  address: string;
  acme: AcmeServer;
  token: string;
  filesystem: "ext4" | "btrfs";
}>;

/** The user-data that `npm run up` would give to the machine. Store and ACME server are on this computer. */
function renderFor({ bucket, release, address, acme, token, filesystem }: MachineFacts): string {
  const { accessKeyId, secretAccessKey, endpoint = "", ...place } = bucket.config;
  const key = { accessKeyId, secretAccessKey };
  const reached = `http://${hostAddress}:${new URL(endpoint).port}`;
  return renderUserData({
    hostname: "lifeboat-drill",
    release: { sha256: release },
    filesystem,
    bucket: { ...place, endpoint: reached, bucketId: bucket.bucketId },
    key,
    edge: {
      domain: "ip",
      www: false,
      ipv4: address,
      acmeDirectory: `https://${hostAddress}:${acme.ports.acme}/dir`,
      key,
    },
    apiTokensSha256: [createHash("sha256").update(token).digest("hex")],
    replicationIntervalMs: 1000,
    syncsPerMonth: 26_000_000,
    retentionHours: 168,
    settingsKey: randomBytes(32).toString("hex"),
  });
}

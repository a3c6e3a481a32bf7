import * as pulumi from "@pulumi/pulumi";

import { platformOf } from "../cloud-init/built-release.ts";
import { ActiveRelease } from "./active-release.ts";
import { Address } from "./address.ts";
import { digestTokens } from "./api-tokens.ts";
import { AppRelease } from "./app-release.ts";
import { readConfig } from "./config.ts";
import { labelsOf } from "./data-place.ts";
import { DataVolume } from "./data-volume.ts";
import { locateStore } from "./locate-store.ts";
import { machineUserData } from "./machine-user-data.ts";
import { Machine } from "./machine.ts";
import { summariseMonthlyCost } from "./monthly-cost.ts";
import { readRelease } from "./read-release.ts";
import { RecoveryCard, renderRestoreCommand } from "./recovery-card.ts";
import { keySources, ReplicaAccess } from "./replica-access.ts";
import { ReplicaBucket } from "./replica-bucket.ts";
import { chooseServerType } from "./server-type.ts";
import { planServerKeys } from "./ssh-keys.ts";
import { surveyProject } from "./survey-project.ts";

const config = readConfig();
const { name: hostname, location } = config;
const store = await locateStore(config);
const labels = labelsOf(config, store);
const survey = await surveyProject(location, labels);
const serverType = chooseServerType({ config, survey });

const replica = new ReplicaBucket("replica", { store, owner: config.owner, bucketId: config.bucketId });
const address = new Address("machine", { hostname, location, labels, adopted: survey.address });
const access = new ReplicaAccess("access", {
  bucket: replica,
  location,
  sources: keySources(config, address.ip),
  keyGeneration: config.keyGeneration,
});
const key = access.machineKey;
const release = new AppRelease("release", { bucket: replica, release: readRelease(platformOf(serverType)) });

const userData = machineUserData({ config, bucket: replica, key, release });
const machine = new Machine("machine", {
  ...config,
  serverType,
  sshKeys: planServerKeys(config.sshKeys, survey.sshKeys),
  address,
  hostname,
  labels,
  userData,
});
const volume = new DataVolume("data", {
  hostname,
  location,
  labels,
  machine,
  address,
  sizeGb: config.volumeSizeGb,
  protect: config.protectData,
  adopted: survey.volume,
});
const { heartbeatUrl, replicationIntervalMs, retentionHours } = config;
const apiTokensSha256 = config.apiTokens.apply(digestTokens);
const settings = { apiTokensSha256, heartbeatUrl, replicationIntervalMs, retentionHours };
const active = new ActiveRelease("active", { machine, volume, release, bucket: replica, key, settings });
// oxlint-disable-next-line no-new -- a resource is made by its constructor, and nothing is read from this one
new RecoveryCard("recovery", { config, bucket: replica, after: active });

export const url = pulumi.interpolate`http://${machine.ip}`;
export const ip = machine.ip;
export const sshCommand = pulumi.interpolate`ssh root@${machine.ip}`;
export const bucket = replica.bucket;
export const bucketId = replica.bucketId;
export const runningRelease = active.sha256;
export const restoreCommand = renderRestoreCommand(store);
// A fallback may have been chosen.
export { serverType };
export const monthlyCost = summariseMonthlyCost({ ...config, serverType, store: config.store.kind });

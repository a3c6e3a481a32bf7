import * as pulumi from "@pulumi/pulumi";

import { platformOf } from "../cloud-init/built-release.ts";
import { ActiveRelease } from "./components/active-release.ts";
import { Address } from "./components/address.ts";
import { AppRelease } from "./components/app-release.ts";
import { DataVolume } from "./components/data-volume.ts";
import { DeployAccess } from "./components/deploy-access.ts";
import { DnsRecords } from "./components/dns-records.ts";
import { edgeSettings, urlOf } from "./components/edge-settings.ts";
import { machineUserData } from "./components/machine-user-data.ts";
import { Machine } from "./components/machine.ts";
import { readRelease } from "./components/read-release.ts";
import { RecoveryCard, renderRestoreCommand } from "./components/recovery-card.ts";
import { keySources, ReplicaAccess } from "./components/replica-access.ts";
import { ReplicaBucket } from "./components/replica-bucket.ts";
import { SettingsKey } from "./components/settings-key.ts";
import { planServerKeys } from "./components/ssh-keys.ts";
import { digestTokens } from "./config/api-tokens.ts";
import { readConfig } from "./config/config.ts";
import { summariseMonthlyCost } from "./cost/monthly-cost.ts";
import { labelsOf } from "./survey/data-place.ts";
import { locateStore } from "./survey/locate-store.ts";
import { chooseServerType } from "./survey/server-type.ts";
import { expectsIpv6, surveyProject } from "./survey/survey-project.ts";
import { surveyRecords } from "./survey/survey-records.ts";

const config = readConfig();
const { name: hostname, location } = config;
const store = await locateStore(config);
const labels = labelsOf(config, store);
const survey = await surveyProject(location, labels);
const serverType = chooseServerType({ config, survey });

const replica = new ReplicaBucket("replica", { store, owner: config.owner, bucketId: config.bucketId });
const records = await surveyRecords(config, labels);
const { keepAddress: keep } = config;
const address = new Address("machine", { hostname, location, labels, keep, adopted: survey.addresses });
const access = new ReplicaAccess("access", {
  bucket: replica,
  location,
  sources: keySources(config, address.ip),
  keyGeneration: config.keyGeneration,
});
const key = access.machineKey;
const deploys = new DeployAccess("deploys", { bucket: replica, enabled: config.deployKey });
const edge = edgeSettings(config, address, access.edgeKey);
const release = new AppRelease("release", { bucket: replica, release: readRelease(platformOf(serverType)) });

const { key: sealingKey } = new SettingsKey("settings-key", { generation: config.settingsKeyGeneration });
const userData = machineUserData({ config, bucket: replica, key, edge, release, settingsKey: sealingKey });
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
const { heartbeatUrl, replicationIntervalMs, syncsPerMonth, retentionHours } = config;
const apiTokensSha256 = config.apiTokens.apply(digestTokens);
const settings = {
  apiTokensSha256,
  heartbeatUrl,
  replicationIntervalMs,
  syncsPerMonth,
  retentionHours,
  // A running machine may still have the IPv6 address of its birth.
  edge: edgeSettings(config, machine, access.edgeKey),
  settingsKey: sealingKey,
};
const reach = config.adminCidrs.length === 0 ? "bucket" : "ssh";
const active = new ActiveRelease("active", { machine, volume, release, bucket: replica, key, settings, reach });
// oxlint-disable-next-line no-new -- a resource is made by its constructor, and nothing is read from this one
new DnsRecords("dns", { wanted: records, labels, machine, hasIpv6: expectsIpv6(survey, config) });
// oxlint-disable-next-line no-new -- a resource is made by its constructor, and nothing is read from this one
new RecoveryCard("recovery", { config, bucket: replica, after: active });

export const url = urlOf(config, machine.ip);
export const ip = machine.ip;
// Empty for a machine without one.
export const ipv6 = machine.ipv6;
// Undefined where no port is open for it.
export const sshCommand = pulumi.output(reach === "ssh" ? pulumi.interpolate`ssh root@${machine.ip}` : undefined);
export const bucket = replica.bucket;
export const bucketId = replica.bucketId;
export const runningRelease = active.sha256;
export const deployAccessKeyId = deploys.key?.accessKeyId;
export const deploySecretAccessKey = deploys.key?.secretAccessKey;
export const restoreCommand = renderRestoreCommand(store);
// A fallback may have been chosen.
export { serverType };
export const monthlyCost = summariseMonthlyCost({ ...config, serverType, store: config.store.kind });

import { stringify } from "yaml";

import { edgeFile, renderEdgeFile } from "./edge-file.ts";
import { renderEnvironmentLines, renderTokensFile, settingsKeyFile, tokensFile } from "./machine-files.ts";
import { readBootstrap } from "./read-bootstrap.ts";
import { listFaults, type UserDataInput } from "./user-data-input.ts";

/** What Hetzner accepts as user-data (docs.hetzner.cloud, create a server). */
export const userDataLimitBytes = 32 * 1024;

/**
 * Renders the user-data of a machine: a small bootstrap that rarely changes, because a change makes a new machine. The
 * same input gives the same text. It contains the store's key, in one file that only root reads, so keep the whole text
 * secret. Throws with all faults of the input together.
 */
export function renderUserData(input: UserDataInput): string {
  const faults = listFaults(input);
  if (faults.length > 0) throw new Error(`user-data: ${faults.join("; ")}`);
  const text = `#cloud-config\n${stringify(describeMachine(input), { lineWidth: 0 })}`;
  const bytes = Buffer.byteLength(text);
  if (bytes > userDataLimitBytes)
    throw new Error(`user-data: ${bytes} bytes, and only ${userDataLimitBytes} are accepted`);
  return text;
}

const lastFile = "/etc/lifeboat/complete";
const units = ["lifeboat-metadata.service", "lifeboat-bootstrap.service"];
// Without a reload: systemd finds units that are new by itself, and to read all of them again would hold up the boot.
const begin = ["systemctl", "enable", "--no-reload", "--now", "--no-block", ...units];
const beginLate = `systemctl --quiet is-enabled lifeboat-bootstrap.service || ${begin.join(" ")}`;

/**
 * runcmd is the last that cloud-init does, long after it has written the files. So a unit waits for the last of them, and
 * begins. Once for a server: later starts find the units enabled. Where this fails, runcmd begins.
 */
const beginEarly = [
  ["cloud-init-per", "instance", "lifeboat-begin", "systemd-run", "--no-block", "--unit=lifeboat-begin"],
  // The system waits for cloud-init, and systemd-run for the path unit, which so must wait for nothing.
  ["--path-property=DefaultDependencies=no", `--path-property=PathExists=${lastFile}`, "--remain-after-exit", ...begin],
].flat();

function describeMachine(input: UserDataInput) {
  return {
    hostname: input.hostname,
    ssh_pwauth: false,
    // cloud-init itself closes only IPv4, at each start, for root too. lifeboat-metadata.service closes the rest.
    disable_ec2_metadata: true,
    bootcmd: [beginEarly],
    // No packages: everything that the bootstrap calls is in a bare Debian image, except mkfs.btrfs (install-btrfs).
    write_files: [
      ...readBootstrap().map(({ path, mode, text }) => ({ path, permissions: mode, content: text })),
      { path: "/etc/lifeboat/environment", permissions: "0600", content: renderEnvironment(input) },
      { path: edgeFile, permissions: "0600", content: renderEdgeFile(input.edge) },
      { path: settingsKeyFile, permissions: "0600", content: `${input.settingsKey}\n` },
      // The bootstrap gives it to the app's group, which does not exist yet.
      { path: tokensFile, permissions: "0600", content: renderTokensFile(input.apiTokensSha256) },
      // The last one, whatever else is written.
      { path: lastFile, permissions: "0644", content: "" },
    ],
    runcmd: [["sh", "-c", beginLate]],
  };
}

/** The names are those of app/config.ts. */
function renderEnvironment({ bucket, key, ...input }: UserDataInput): string {
  return renderEnvironmentLines({
    LIFEBOAT_RELEASE: input.release.sha256,
    LIFEBOAT_FILESYSTEM: input.filesystem,
    LIFEBOAT_BUCKET_URL: bucketUrl(bucket),
    LIFEBOAT_BUCKET: bucket.bucket,
    LIFEBOAT_REGION: bucket.region,
    ...(bucket.endpoint !== undefined && { LIFEBOAT_ENDPOINT: bucket.endpoint }),
    LIFEBOAT_PATH_STYLE: String(bucket.pathStyle),
    LIFEBOAT_BUCKET_ID: bucket.bucketId,
    LIFEBOAT_API_TOKENS_FILE: tokensFile,
    LIFEBOAT_HEARTBEAT_URL: input.heartbeatUrl ?? "",
    LIFEBOAT_REPLICATION_INTERVAL_MS: String(input.replicationIntervalMs),
    LIFEBOAT_SYNCS_PER_MONTH: String(input.syncsPerMonth),
    LIFEBOAT_RETENTION_HOURS: String(input.retentionHours),
    LITESTREAM_ACCESS_KEY_ID: key.accessKeyId,
    LITESTREAM_SECRET_ACCESS_KEY: key.secretAccessKey,
  });
}

function bucketUrl({ bucket, region, endpoint, pathStyle }: UserDataInput["bucket"]): string {
  const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`);
  if (pathStyle) return `${url.origin}/${bucket}`;
  return `${url.protocol}//${bucket}.${url.host}`;
}

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { announceUp } from "../deploy/announce-up.ts";
import { bringSettings } from "../deploy/bring-settings.ts";
import { writeDesiredRelease } from "../deploy/desired-release.ts";
import { readMachineSettings, renderSettings } from "../remote/machine-settings.ts";
import { runOverSsh, type SshTarget, waitForSsh } from "../ssh/ssh.ts";
import { MachineBucket } from "../store/machine-bucket.ts";
import { openCloudStore, requireVariable } from "../store/open-client.ts";

// Run by `pulumi up` (infra/components/active-release.ts): brings release and settings to the machine, by SSH or by the
// bucket, and waits for /ready. Prints the release's hash. Everything else goes to stderr, which `pulumi up` shows.
const environment = process.env;
const release = requireVariable(environment, "LIFEBOAT_RELEASE");
const machine = {
  ip: requireVariable(environment, "LIFEBOAT_IP"),
  server: requireVariable(environment, "LIFEBOAT_SERVER"),
};
const volumeGb = requireVariable(environment, "LIFEBOAT_VOLUME_GB");
if (!/^[1-9][0-9]{0,5}$/.test(volumeGb)) throw new Error(`LIFEBOAT_VOLUME_GB must be a whole number (got ${volumeGb})`);
if (!/^[0-9a-f]{64}$/.test(release)) throw new Error(`LIFEBOAT_RELEASE must be a SHA-256 (got ${release})`);

const settings = readMachineSettings(await text(process.stdin));
// The login of whoever runs `up`; a given store has only the one key.
using store = await openCloudStore(environment, async () => settings.secretAccessKey);
const upgrade = { sha256: release, server: machine.server, tell: (words: string) => console.error(words) };
const reach = requireVariable(environment, "LIFEBOAT_REACH");
const deploy =
  reach === "bucket"
    ? await bringSettings(store, { ...upgrade, settings, volumeGb: Number(volumeGb) })
    : await activateBySsh();
// Others may have deployed before, and the resource that writes it knows nothing of that.
await writeDesiredRelease(store, release, deploy).catch((cause: unknown) => {
  throw new Error(
    `the machine serves ${release}, and new machines would not install it yet: ${String(cause)}; run up again`,
    { cause },
  );
});
console.log(release);

async function activateBySsh(): Promise<string> {
  using bucket = await MachineBucket.open(environment, settings);
  await bucket.waitUntilKeyWorks();
  await waitForSsh(machine);
  return announceUp(store, upgrade, () => bringUp(bucket));
}

async function bringUp(bucket: MachineBucket): Promise<void> {
  const script = readFileSync(join(import.meta.dirname, "../remote/bring-up.sh"), "utf8");
  const command = { script: `set -- ${release} ${volumeGb}\n${script}`, stdin: renderSettings(settings) };
  await runOverSsh(await findHostKeys(bucket, machine), command).catch((cause: unknown) => {
    // The connection may have broken after the machine took a new key. Going back now would revoke that key.
    throw new Error(`${String(cause)}\nrun up again with the same configuration, before you take anything back`, {
      cause,
    });
  });
}

/**
 * Waits for the host keys that the machine puts into the bucket: without them no secret is sent. Throws with the
 * machine's own messages.
 */
async function findHostKeys(bucket: MachineBucket, target: SshTarget): Promise<SshTarget> {
  try {
    return { ...target, hostKeys: await bucket.waitForHostKeys(target.server) };
  } catch (cause) {
    const script =
      "cloud-init status --long >&2; journalctl --unit=lifeboat-bootstrap --lines=20 --no-pager >&2; exit 1";
    const answer = await runOverSsh(target, { script, stdin: "" }).then(() => "nothing", String);
    throw new Error(`${String(cause)}; whoever answers there says: ${answer}`, { cause });
  }
}

import type { Transcript } from "../app/cli/transcript.ts";
import { findBuiltRelease } from "../cloud-init/built-release.ts";
import { runVerb } from "./cli/run-verb.ts";
import { deployCommand, type DeployOptions } from "./deploy/arguments.ts";
import { bringRelease } from "./deploy/bring-release.ts";
import { findDeployPlace } from "./deploy/place.ts";
import { uploadRelease } from "./deploy/upload-release.ts";
import { ensureRelease } from "./up/ensure-release.ts";

await runVerb(deployCommand, process.argv.slice(2), deploy);

/** Build, upload, wish, report. */
async function deploy({ build, limitMs, ...wanted }: DeployOptions, transcript: Transcript): Promise<void> {
  const place = await findDeployPlace(wanted, process.env);
  await ensureRelease({ platform: place.platform, build }, transcript);
  const release = findBuiltRelease(place.platform);
  if (release === undefined) throw new Error(`no release for ${place.platform} was built`);
  using upload = await place.openForUpload();
  await transcript.step(
    `upload to ${upload.bucket}`,
    () => uploadRelease(upload, release),
    (bytes) => (bytes === null ? "it was there" : `${(bytes / 1e6).toFixed(1)} MB`),
  );
  using store = await place.open();
  await bringRelease(store, { sha256: release.sha256, limitMs }, transcript);
  if (place.url !== undefined) transcript.line(place.url);
}

import { mkdirSync, rmSync } from "node:fs";
import { constants } from "node:os";

import { renderCommand } from "../app/cli/help.ts";
import type { Transcript } from "../app/cli/transcript.ts";
import { waitFor } from "../app/cli/wait-for.ts";
import { appSources } from "./build/bundle-app.ts";
import { resolveBinary } from "./build/resolve-binary.ts";
import { runVerb } from "./cli/run-verb.ts";
import { devCommand, type DevOptions } from "./dev/arguments.ts";
import { DevMachine } from "./dev/dev-machine.ts";
import { devFolder, noteDevEnvironment } from "./dev/environment.ts";
import { type DevPlace, openPlace } from "./dev/place.ts";
import { watchSources } from "./dev/watch-sources.ts";
import { prepareBucket } from "./local/bucket-preparation.ts";
import { findFreePorts, isFree } from "./local/free-ports.ts";
import { Leftovers } from "./local/leftovers.ts";
import { environmentOf } from "./local/machine-units.ts";
import { startSeaweedStore } from "./local/seaweed-store.ts";

const usualPort = 8080;
/** An earlier run may be about to end. */
const portLimitMs = 2_000;

await runVerb(devCommand, process.argv.slice(2), develop);

async function develop({ fresh, port: wanted }: DevOptions, transcript: Transcript): Promise<void> {
  const leftovers = new Leftovers();
  leftovers.clearAtEnd();
  const interrupt = hearSignals();
  using place = openPlace(devFolder);
  if (fresh) {
    place.clear();
    transcript.line("deleted: the development data in .dev; token and port stay as they are");
  }
  const port = await choosePort(wanted ?? place.readSettings().port);
  place.saveSettings({ ...place.readSettings(), port });
  const litestream = await resolveBinary("litestream");
  rmSync(place.machine.logs, { recursive: true, force: true });
  for (const path of [...Object.values(place.machine), place.store]) mkdirSync(path, { recursive: true, mode: 0o700 });
  const { keys, token, machineId } = place.readSettings();
  await using store = await transcript.step(
    "the store is up",
    () => startSeaweedStore({ directory: place.store, leftovers, keep: true, keys }),
    ({ access }) => `SeaweedFS on ${access.endpoint}`,
  );
  const bucket = await takeBucket(place, store.access);
  const settings = { ...bucket, litestream, token, port, machineId };
  noteDevEnvironment(environmentOf(place.machine, settings));
  await using machine = new DevMachine({
    directories: place.machine,
    settings,
    sources: appSources,
    transcript,
    leftovers,
  });
  await using _watcher = await watchSources(appSources, (paths) => machine.change(paths));
  await machine.tellWhenReady();
  tellHow({ port, token }, transcript);
  const ending = await Promise.race([interrupt(), machine.ended]);
  if (ending !== null)
    throw new Error(
      `${ending.unit ?? "the machine"} ended for good; look into .dev/logs, or begin with an empty database: ${renderCommand("dev", "--fresh")}`,
    );
  transcript.line("");
  await transcript.step(
    "stopped",
    () => machine.stop(),
    () => "the data stay in .dev",
  );
}

/** Until somebody waits for the signal, it ends everything at once, and so does a second one. */
function hearSignals(): () => Promise<null> {
  const { promise, resolve } = Promise.withResolvers<null>();
  let isAwaited = false;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (!isAwaited) process.exit(128 + constants.signals[name]);
      isAwaited = false;
      resolve(null);
    });
  }
  return () => {
    isAwaited = true;
    return promise;
  };
}

async function choosePort(wanted: number | null): Promise<number> {
  if (wanted === null) {
    if (await isFree(usualPort)) return usualPort;
    const [port = usualPort] = await findFreePorts(1);
    return port;
  }
  const look = async () => ((await isFree(wanted)) ? wanted : null);
  return await waitFor(`port ${wanted}`, look, { timeoutMs: portLimitMs }).catch((cause: unknown) => {
    const other = renderCommand("dev", `--port ${wanted === 65_535 ? usualPort : wanted + 1}`);
    throw new Error(`port ${wanted} is in use; end what listens there, or take another one: ${other}`, { cause });
  });
}

async function takeBucket(place: DevPlace, access: Parameters<typeof prepareBucket>[0]) {
  const settings = place.readSettings();
  if (settings.bucket !== null)
    return { bucket: { ...access, bucket: settings.bucket.name }, bucketId: settings.bucket.id };
  const { config, bucketId } = await prepareBucket(access, null, "dev");
  place.saveSettings({ ...settings, bucket: { name: config.bucket, id: bucketId } });
  return { bucket: config, bucketId };
}

function tellHow({ port, token }: { port: number; token: string }, transcript: Transcript): void {
  const url = `http://127.0.0.1:${port}`;
  transcript.line(`
URL    ${url}
TOKEN  ${token}
TRY    curl -sS ${url}/openapi.json -H 'Authorization: Bearer ${token}'

A change in app/ starts the app again. Data and logs lie in .dev; Ctrl-C ends everything.`);
}

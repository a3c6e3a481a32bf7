import { machineFiles } from "../../app/replica/machine.ts";
import { environmentOf } from "../../scripts/local/machine-units.ts";

/** The environment of a machine whose bucket no test asks, and its files. */
export function describeMachine(directory: string) {
  const places = { home: directory, data: directory, run: directory, logs: directory };
  const environment = environmentOf(places, {
    litestream: "litestream",
    bucket: {
      bucket: "a-bucket",
      region: "auto",
      endpoint: "http://127.0.0.1:9",
      pathStyle: true,
      accessKeyId: "key",
      secretAccessKey: "secret",
    },
    bucketId: "id",
    token: "token",
    port: 9,
    machineId: "machine",
  });
  return { environment, files: machineFiles(directory, directory) };
}

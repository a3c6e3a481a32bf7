import { readFileSync } from "node:fs";

import { readOptionalFile } from "../durable-file.ts";
import type { BucketConfig } from "../replica/s3-client.ts";

/** The bucket and the key that a machine's settings name: the lines of /etc/lifeboat/environment. */
export function readBucketConfig(settings: string): BucketConfig {
  const given = readLines(readFileSync(settings, "utf8"));
  const endpoint = given["LIFEBOAT_ENDPOINT"] ?? "";
  const need = (name: string) => {
    const value = given[name] ?? "";
    if (value === "") throw new Error(`${settings} names no ${name}`);
    return value;
  };
  return {
    bucket: need("LIFEBOAT_BUCKET"),
    region: need("LIFEBOAT_REGION"),
    ...(endpoint === "" ? {} : { endpoint }),
    pathStyle: given["LIFEBOAT_PATH_STYLE"] === "true",
    accessKeyId: need("LITESTREAM_ACCESS_KEY_ID"),
    secretAccessKey: need("LITESTREAM_SECRET_ACCESS_KEY"),
  };
}

/** The key for the bucket that lines of settings name. Throws when they name none. */
export function readKey(lines: string): Pick<BucketConfig, "accessKeyId" | "secretAccessKey"> {
  const { LITESTREAM_ACCESS_KEY_ID: accessKeyId = "", LITESTREAM_SECRET_ACCESS_KEY: secretAccessKey = "" } =
    readLines(lines);
  if (accessKeyId === "" || secretAccessKey === "") throw new Error("the settings name no key for the bucket");
  return { accessKeyId, secretAccessKey };
}

/** What boot and the app call this machine. */
export function readMachineName({ name, otherName }: { name: string; otherName: string }): string {
  const given = readLines(readOptionalFile(name) ?? "")["LIFEBOAT_MACHINE_ID"] ?? "";
  return given === "" ? readFileSync(otherName, "utf8").trim() : given;
}

function readLines(text: string): Record<string, string> {
  const lines = text.matchAll(/^([A-Z0-9_]+)='(.*)'$/gm);
  return Object.fromEntries([...lines].map(([, name = "", value = ""]) => [name, value]));
}

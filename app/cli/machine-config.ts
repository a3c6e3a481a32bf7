import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";

import { type AppConfig, readConfig } from "../config.ts";
import { readOptionalFile } from "../durable-file.ts";
import { ConfigFault } from "../environment.ts";
import { Refused } from "./command-line.ts";

const release = "/opt/lifeboat/current";

/** What app.service and boot.service give to their programs besides the files that they name. */
export const unitEnvironment = {
  LIFEBOAT_DATA_DIR: "/data",
  LIFEBOAT_RUN_DIR: "/run/lifeboat",
  LIFEBOAT_LITESTREAM: `${release}/bin/litestream`,
  LIFEBOAT_HOST: "127.0.0.1",
  LIFEBOAT_PORT: "8080",
  LIFEBOAT_SCRATCH_DIR: "/var/cache/lifeboat",
} as const;

const settingsFile = "/etc/lifeboat/environment";
const edgeFile = "/etc/lifeboat/edge";
const nameFile = "/run/lifeboat-machine";
const appUser = "lifeboat";

/**
 * Reads the configuration of the app that this computer runs: from the environment when that names a data directory,
 * else as the units of a machine do. There root gives its rights up for those of the app's user, whose files must stay
 * its own; `keepsRights` is for a verb that stops and starts services. Throws Refused when there is no machine here, or its
 * settings are closed to this user.
 */
export function readMachineConfig({ keepsRights = false } = {}): AppConfig {
  if ((process.env["LIFEBOAT_DATA_DIR"] ?? "") !== "") return readKnown(process.env);
  const environment = readMachineEnvironment();
  process.umask(0o077);
  if (!keepsRights) becomeApp();
  return readKnown(environment);
}

/**
 * Where the machine's HTTPS is asked for its certificate: its own address, and the name that is asked for. Null where
 * there is none, or the file is closed to this user. Root reads it, so it comes before readMachineConfig.
 */
export function readHttpsPlace(): { host: string; name: string | null; port: number } | null {
  let settings: Record<string, string | undefined>;
  try {
    settings = parseEnv(readFileSync(edgeFile, "utf8"));
  } catch {
    return null;
  }
  const { LIFEBOAT_DOMAIN: domain = "none", LIFEBOAT_IPV4: host = "" } = settings;
  if (domain === "none" || host === "") return null;
  return { host, name: domain === "ip" ? null : domain, port: 443 };
}

function readKnown(environment: NodeJS.ProcessEnv): AppConfig {
  try {
    return readConfig(environment);
  } catch (error) {
    if (!(error instanceof ConfigFault)) throw error;
    throw new Refused(`${error.message}; when that is right: npm run up; by hand: docs/runbooks/by-hand.md`);
  }
}

function readMachineEnvironment(): NodeJS.ProcessEnv {
  let settings: string;
  try {
    settings = readFileSync(settingsFile, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "EACCES")
      throw new Refused(`${settingsFile} holds keys and only root may read it; log in as root, or put sudo before it`);
    if (code !== "ENOENT") throw error;
    throw new Refused(
      `this is no machine of Lifeboat: there is no ${settingsFile}, and LIFEBOAT_DATA_DIR is not set (docs/runbooks/by-hand.md has the variables)`,
    );
  }
  return { ...unitEnvironment, ...parseEnv(settings), ...parseEnv(readOptionalFile(nameFile) ?? "") };
}

/** The program may write nothing that the app cannot read, and read no more than the app. */
function becomeApp(): void {
  if (process.getuid?.() !== 0) return;
  try {
    process.setgroups?.([]);
    process.setgid?.(appUser);
    process.setuid?.(appUser);
  } catch (cause) {
    throw new Refused(
      `there is no user ${appUser} yet: the bootstrap has not ended (systemctl status lifeboat-bootstrap)`,
      {
        cause,
      },
    );
  }
}

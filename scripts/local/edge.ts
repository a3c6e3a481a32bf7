import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

import { waitFor, within } from "../../app/cli/wait-for.ts";
import { renderCaddyfile } from "../../app/edge/render-caddyfile.ts";
import { letsEncrypt } from "../../app/edge/settings.ts";
import { resolveBinary } from "../build/resolve-binary.ts";
import { findFreePorts } from "./free-ports.ts";
import type { Leftovers } from "./leftovers.ts";
import { startProcessGroup } from "./process-group.ts";

/** Caddy in front of an app on this computer, by plain HTTP. */
export type Edge = AsyncDisposable & Readonly<{ port: number; pid: number | undefined }>;

type EdgeOptions = Readonly<{ appPort: number; directory: string; leftovers: Leftovers }>;

const startLimitMs = 10_000;

/** Starts Caddy with the configuration of a machine that has no domain, on a free port. Its files go into `directory`. */
export async function startEdge({ appPort, directory, leftovers }: EdgeOptions): Promise<Edge> {
  const [http = 0, https = 0] = await findFreePorts(2);
  const home = join(directory, `edge-${http}`);
  mkdirSync(home, { mode: 0o700 });
  const caddyfile = join(home, "Caddyfile");
  writeFileSync(
    caddyfile,
    renderCaddyfile(
      { names: [], redirects: [], addresses: [], plain: "app" },
      {
        storage: join(home, "storage"),
        adminSocket: join(home, "admin.sock"),
        acmeDirectory: letsEncrypt,
        ports: { http, https, app: appPort },
      },
    ),
  );
  const caddy = startProcessGroup(
    { file: await resolveBinary("caddy"), words: ["run", "--config", caddyfile, "--adapter", "caddyfile"] },
    { environment: { HOME: home }, directory: home, logFile: join(home, "caddy.log"), leftovers },
  );
  const isUp = async () => ((await isOpen(http)) ? true : null);
  await waitFor("Caddy", isUp, { timeoutMs: startLimitMs, everyMs: 20 });
  const stop = async () => {
    caddy.signal("SIGKILL");
    await within("the end of Caddy", startLimitMs, caddy.exited);
  };
  return { port: http, pid: caddy.pid, [Symbol.asyncDispose]: stop };
}

function isOpen(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, "127.0.0.1");
  socket.once("connect", () => {
    socket.destroy();
    resolve(true);
  });
  socket.once("error", () => resolve(false));
  return promise;
}

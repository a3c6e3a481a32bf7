import { join } from "node:path";

import { waitFor, within } from "../../../app/cli/wait-for.ts";
import { findFreePorts } from "../../local/free-ports.ts";
import type { Leftovers } from "../../local/leftovers.ts";
import { startProcessGroup } from "../../local/process-group.ts";
import type { MeasuredServer } from "./measured-server.ts";

const limitMs = 20_000;

/** Starts Fastify's hello world: the most that a server of this kind could do. */
export async function startHello(place: {
  directory: string;
  leftovers: Leftovers;
}): Promise<MeasuredServer & AsyncDisposable> {
  const [port = 0] = await findFreePorts(1);
  const command = { file: process.execPath, words: [join(import.meta.dirname, "hello.ts"), String(port)] };
  const logFile = join(place.directory, "hello.log");
  const group = startProcessGroup(command, { ...place, environment: { NODE_ENV: "production" }, logFile });
  const stop = async () => {
    group.signal("SIGKILL");
    await within("the end of the hello world", limitMs, group.exited);
  };
  try {
    const isUp = async () => ((await fetch(`http://127.0.0.1:${port}/`)).ok ? true : null);
    await waitFor("the hello world", isUp, { timeoutMs: limitMs });
    return {
      port,
      pid: group.pid,
      headers: {},
      onePaths: ["/"],
      listPath: "/",
      createPath: "/",
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

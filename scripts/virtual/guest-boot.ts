import type { GuestShell } from "./guest-shell.ts";

/** When the parts of a machine's start were over, in ms after its kernel began. Null: not yet. */
export type GuestBoot = Readonly<{
  kernelAtMs: number;
  network: number | null;
  multiUser: number | null;
  bootstrapBegin: number | null;
  bootstrapEnd: number | null;
  appBegin: number | null;
}>;

const moments = [
  ["network", "network-online.target", "ActiveEnterTimestampMonotonic"],
  ["multiUser", "multi-user.target", "ActiveEnterTimestampMonotonic"],
  ["bootstrapBegin", "lifeboat-bootstrap.service", "InactiveExitTimestampMonotonic"],
  ["bootstrapEnd", "lifeboat-bootstrap.service", "ActiveEnterTimestampMonotonic"],
  ["appBegin", "app.service", "InactiveExitTimestampMonotonic"],
] as const;
type Moment = (typeof moments)[number][0];

/** Asks a machine when its start got where. `kernelAtMs` is on the clock of performance.now(), to a tenth of a second. */
export async function readGuestBoot(shell: GuestShell): Promise<GuestBoot> {
  const ask = moments.map(([, unit, property]) => `systemctl show --property=${property} --value ${unit}`);
  const said = (await shell.run([...ask, "cut -d' ' -f1 /proc/uptime"].join("; "))).trim().split("\n");
  const answeredAtMs = performance.now();
  const uptimeMs = Number(said.at(-1)) * 1000;
  const at = (name: Moment) => readMicroseconds(said[moments.findIndex(([moment]) => moment === name)]);
  return {
    kernelAtMs: answeredAtMs - uptimeMs,
    network: at("network"),
    multiUser: at("multiUser"),
    bootstrapBegin: at("bootstrapBegin"),
    bootstrapEnd: at("bootstrapEnd"),
    appBegin: at("appBegin"),
  };
}

// systemd says 0 of what has not happened.
function readMicroseconds(text: string | undefined): number | null {
  const microseconds = Number(text);
  return microseconds > 0 ? Math.round(microseconds / 1000) : null;
}

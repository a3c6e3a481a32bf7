import { readBootReport, type RecoveryStep, roundStep, type Serving } from "./boot-scene.ts";
import type { ServerMachine } from "./server-machine.ts";

/** The way back of a whole machine. */
export type Comeback = Readonly<{
  /** From the disaster to the first 200 on /ready. */
  rtoMs: number;
  /** Of that, what the image takes to boot: from the power to multi-user, or to the first 200 if that comes earlier. */
  imageMs: number;
  /** What we add to that. */
  oursMs: number;
  steps: readonly RecoveryStep[];
}>;

/** Splits the time from the disaster to the first 200 on /ready, with what the machine's system and boot say themselves. */
export async function splitComeback(
  { machine, readyAtMs }: Serving<ServerMachine>,
  disasterAtMs: number,
): Promise<Comeback> {
  const report = await readBootReport(machine);
  const boot = await machine.readGuestBoot();
  const startedAtMs = machine.server.machine.startedAtMs;
  const at = (moment: number | null) => (moment === null ? readyAtMs : Math.min(boot.kernelAtMs + moment, readyAtMs));
  const bootMs = report.steps.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const multiUserAtMs = at(boot.multiUser);
  const steps = [
    { step: "clear the old machine away", durationMs: startedAtMs - disasterAtMs },
    { step: "firmware and the kernel's start", durationMs: boot.kernelAtMs - startedAtMs },
    { step: "the system, until cloud-init has the network", durationMs: at(boot.network) - boot.kernelAtMs },
    { step: "until the bootstrap begins", durationMs: at(boot.bootstrapBegin) - at(boot.network) },
    { step: "bootstrap: release and volume", durationMs: at(boot.bootstrapEnd) - at(boot.bootstrapBegin) },
    { step: "start boot", durationMs: at(boot.appBegin) - at(boot.bootstrapEnd) - bootMs },
    ...report.steps,
    { step: "start the app, Litestream and the edge", durationMs: readyAtMs - at(boot.appBegin) },
  ];
  return {
    rtoMs: Math.round(readyAtMs - disasterAtMs),
    imageMs: Math.round(multiUserAtMs - startedAtMs),
    oursMs: Math.round(readyAtMs - multiUserAtMs),
    steps: steps.map(roundStep),
  };
}

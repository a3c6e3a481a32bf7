import { type Finding, renderFindings } from "../virtual/inspect-machine.ts";
import type { ServingMachine } from "./boot-scene.ts";
import type { ServerMachine } from "./server-machine.ts";
import type { Scene } from "./stage.ts";

const told = new Set(["open ports", "exposure"]);

/** Looks at a machine from inside, and prints its open ports and how exposed its units are. Throws when it is not hardened. */
export async function inspectInside(stage: Scene, { machine }: ServingMachine<ServerMachine>): Promise<void> {
  const name = machine.name.toUpperCase();
  const findings = await stage.transcript.step(
    `machine ${name} is hardened, seen from inside`,
    async () => refuseFaults(await machine.inspect()),
    (found) => `${found.length} checks`,
  );
  stage.transcript.line(renderFindings(findings.filter((finding) => told.has(finding.name))));
}

function refuseFaults(findings: readonly Finding[]): readonly Finding[] {
  const bad = findings.filter(({ faults }) => faults.length > 0);
  if (bad.length > 0) throw new Error(`the machine is not hardened:\n${renderFindings(bad)}`);
  return findings;
}

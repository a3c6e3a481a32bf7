import { type MachineCheck, machineChecks } from "./machine-checks.ts";

/** Runs a script as root in a machine and returns what it printed, as GuestShell does. */
export type MachineShell = Readonly<{ run(script: string): Promise<string> }>;

/** What one check found. No faults: the machine is as it should be. */
export type Finding = Readonly<{ name: string; answer: readonly string[]; faults: readonly string[] }>;

// It holds up nothing, so it may end long after the app is ready.
const untilHardened = `tries=0
until [ "$(systemctl show --property=InactiveEnterTimestampMonotonic --value lifeboat-hardening)" != 0 ] || [ $tries = 120 ]
do tries=$((tries + 1)); sleep 1; done
if [ $tries = 120 ]; then echo "lifeboat-hardening has not run within 120 s" >&2; exit 1; fi`;

/** Asks a machine that serves whether it is hardened. */
export async function inspectMachine(
  shell: MachineShell,
  checks: readonly MachineCheck[] = machineChecks,
): Promise<Finding[]> {
  await shell.run(untilHardened);
  const findings: Finding[] = [];
  for (const { name, script, findFaults } of checks) {
    const said = (await shell.run(script)).trimEnd();
    const answer = said === "" ? [] : said.split("\n");
    findings.push({ name, answer, faults: findFaults(answer) });
  }
  return findings;
}

/** For people: `[PASS]` or `[FAIL]` and the name, and below the answer, or the faults in it. */
export function renderFindings(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ name, answer, faults }) => {
    const isSound = faults.length === 0;
    // sshd tells a hundred settings, and the wanted ones are in the file.
    const shown = isSound && answer.length > mostLines ? [`${answer.length} lines`] : isSound ? answer : faults;
    return [`[${isSound ? "PASS" : "FAIL"}] ${name}`, ...shown.map((line) => `  ${line}`)];
  });
  return lines.join("\n");
}

const mostLines = 30;

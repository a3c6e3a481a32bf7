import { readOptions } from "../cli/run-verb.ts";
import { type Transcript, openTranscript } from "../cli/transcript.ts";
import { Leftovers } from "../local/leftovers.ts";
import { drillCommand, type DrillOptions } from "./arguments.ts";
import { type Findings, printReport, reportError, reportFindings } from "./report.ts";
import { type Stage, openStage, readVersions } from "./stage.ts";

/**
 * Runs a drill as a program: arguments, stage, story, report, exit code. Exit 0: nothing is in doubt; 1: something is;
 * 64: the command line is wrong; 130, 143: interrupted.
 */
export async function runDrill(words: readonly string[], rehearse: (stage: Stage) => Promise<Findings>): Promise<void> {
  const options = readOptions(drillCommand, words);
  if (options === null) return;
  const leftovers = new Leftovers();
  leftovers.clearOnExit();
  const transcript = openTranscript(options);
  const startedAt = performance.now();
  const report = await tell(rehearse, { options, transcript, leftovers, startedAt });
  const again = renderCommand(words, options.seed);
  if (report.ok) transcript.line(`Nothing that was acknowledged at bucket is lost. The same again: ${again}`);
  else transcript.line(`Look at what is left: ${again} --keep`);
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = report.ok ? 0 : 1;
}

type Telling = Readonly<{ options: DrillOptions; transcript: Transcript; leftovers: Leftovers; startedAt: number }>;

async function tell(rehearse: (stage: Stage) => Promise<Findings>, { startedAt, ...house }: Telling) {
  const { options, transcript } = house;
  const versions = readVersions(options);
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  transcript.line(`Lifeboat drill, seed ${options.seed}: ${names.join(", ")}`);
  const facts = () => ({ options, versions, durationMs: performance.now() - startedAt });
  try {
    await using stage = await openStage(house);
    const report = reportFindings(await rehearseOrExplain(rehearse, stage), facts());
    printReport(report, transcript);
    return report;
  } catch (error) {
    const report = reportError(error, facts());
    for (const failure of report.failures) transcript.check("FAIL", failure, { evidence: "" });
    return report;
  }
}

/**
 * A story that breaks off leaves its machines' logs; the lines of the machine that it was about are the explanation.
 */
async function rehearseOrExplain(rehearse: (stage: Stage) => Promise<Findings>, stage: Stage): Promise<Findings> {
  try {
    return await rehearse(stage);
  } catch (error) {
    const { machine } = stage.spotlight;
    if (machine) stage.transcript.line(await machine.readLastWords());
    throw error;
  }
}

/** The command that starts the same drill: the same words, and the seed if it was chosen by us. */
function renderCommand(words: readonly string[], seed: number): string {
  const given = words.filter((word) => word !== "--keep");
  const seeded = given.some((word) => word.startsWith("--seed")) ? given : [...given, "--seed", String(seed)];
  return ["npm run drill --", ...seeded].join(" ");
}

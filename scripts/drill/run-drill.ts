import { Refused } from "../../app/cli/command-line.ts";
import { type Transcript, openTranscript } from "../../app/cli/transcript.ts";
import { readOptions } from "../cli/run-verb.ts";
import { Leftovers } from "../local/leftovers.ts";
import { drillCommand, type DrillOptions } from "./arguments.ts";
import { type Facts, reportError } from "./report.ts";
import { readVersions, type Scene, type StageOptions } from "./stage.ts";

type Judged = Readonly<{ ok: boolean; failures: readonly string[] }>;

/** A room of the drill: what is prepared, what happens, and what is said of it. */
export type Room = Readonly<{
  /** Tells the story on a stage of its own, and judges it. Prints the report when the story got to its end. */
  play(house: StageOptions, facts: () => Facts): Promise<Judged>;
}>;

type Parts<Stage extends Scene, Findings, Report extends Judged> = Readonly<{
  openStage(house: StageOptions): Promise<Stage & AsyncDisposable>;
  rehearse(stage: Stage): Promise<Findings>;
  report(findings: Findings, facts: Facts): Report;
  print(report: Report, transcript: Transcript): void;
}>;

/** Puts a room together. */
export function makeRoom<Stage extends Scene, Findings, Report extends Judged>(
  parts: Parts<Stage, Findings, Report>,
): Room {
  return {
    async play(house, facts) {
      await using stage = await parts.openStage(house);
      const report = parts.report(await rehearseOrExplain(parts.rehearse, stage), facts());
      parts.print(report, house.transcript);
      return report;
    },
  };
}

/**
 * Runs a drill as a program: arguments, stage, story, report, exit code. Exit 0: nothing is in doubt; 1: something is;
 * 64: the command line is wrong; 130, 143: interrupted.
 */
export async function runDrill(words: readonly string[], rooms: Readonly<Record<Play, Room>>): Promise<void> {
  const options = readOptions(drillCommand, words);
  if (options === null) return;
  const leftovers = new Leftovers();
  leftovers.clearOnExit();
  const transcript = openTranscript(options);
  const startedAt = performance.now();
  const { report, isTold } = await tell(rooms[playOf(options)], { options, transcript, leftovers }, startedAt);
  const again = renderCommand(words, options.seed);
  if (report.ok) transcript.line(`Nothing that was acknowledged at bucket is lost. The same again: ${again}`);
  else if (isTold) transcript.line(`Look at what is left: ${again} --keep`);
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = report.ok ? 0 : 1;
}

/** What can be played. */
type Play = DrillOptions["room"] | "mistake";

function playOf({ room, story }: DrillOptions): Play {
  return story === "mistake" ? "mistake" : room;
}

/** `isTold`: something was tried, and there is something to look at. */
async function tell(room: Room, house: StageOptions, startedAt: number): Promise<{ report: Judged; isTold: boolean }> {
  const { options, transcript } = house;
  const versions = readVersions(options);
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  transcript.line(`Lifeboat drill, seed ${options.seed}: ${names.join(", ")}`);
  const facts = () => ({ options, versions, durationMs: performance.now() - startedAt });
  try {
    return { report: await room.play(house, facts), isTold: true };
  } catch (error) {
    const report = reportError(error, facts());
    for (const failure of report.failures) transcript.check("FAIL", failure, { evidence: "" });
    return { report, isTold: !(error instanceof Refused) };
  }
}

/**
 * A story that breaks off leaves its machines' logs; the lines of the machine that it was about are the explanation.
 */
async function rehearseOrExplain<Stage extends Scene, Findings>(
  rehearse: (stage: Stage) => Promise<Findings>,
  stage: Stage,
): Promise<Findings> {
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

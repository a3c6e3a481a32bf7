import { putFile, restoreContent } from "./replica.ts";
import { filesOf, type Step, withFiles } from "./state.ts";
import { move, type Turn } from "./turn.ts";

/** Litestream runs by itself once the mark stands, also on a machine that has lost head and does not know it yet. */
export function litestreamSteps(turn: Turn): Step[] {
  const { phase, volume } = turn.machine;
  if (phase.at !== "starting" && phase.at !== "serving") return [];
  const steps: Step[] = [];
  const content = restoreContent(volume.staged);
  if (volume.database !== null && volume.database !== content) {
    const follows = content !== null && volume.database.startsWith(content);
    const file = follows ? `+${volume.database.slice(content.length)}` : `=${volume.database}`;
    steps.push(move(turn, `Litestream stages "${file}"`, { volume: { ...volume, staged: [...volume.staged, file] } }));
  }
  const file = volume.staged[phase.uploaded];
  if (file !== undefined) {
    const files = putFile(filesOf(turn.state, phase.epoch), phase.uploaded, file);
    steps.push(
      move(turn, `Litestream uploads "${file}" to epoch ${phase.epoch}`, {
        state: withFiles(turn.state, phase.epoch, files),
        phase: { ...phase, uploaded: phase.uploaded + 1 },
      }),
    );
  }
  return steps;
}

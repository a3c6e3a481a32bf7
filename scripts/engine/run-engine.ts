import { CommandError, type EngineEvent } from "@pulumi/pulumi/automation/index.js";

type Listener = (event: EngineEvent) => void;
type Operation = (options: { onEvent: Listener; color: "never" }) => Promise<unknown>;

/** The engine's messages about a failed operation, without the rest of its output. */
export class EngineFailure extends Error {}

/** A person stopped the engine. What it had begun is finished and in the state. The rest was not done. */
class Interrupted extends Error {
  constructor() {
    super("interrupted: what was begun has been ended, the rest was not done");
  }
}

/**
 * Runs one operation of the engine and returns its events. Throws EngineFailure. An interrupt is left to the engine,
 * which finishes what it has begun: a killed update would leave resources in no state. Then Interrupted is thrown,
 * whatever the engine reports: it calls an interrupted destroy a success.
 */
export async function runEngine(operation: Operation, listen: Listener = () => {}): Promise<EngineEvent[]> {
  const events: EngineEvent[] = [];
  let isInterrupted = false;
  const leaveToEngine = () => {
    isInterrupted = true;
    process.stderr.write("interrupted: the engine ends what it has begun\n");
  };
  const onEvent = (event: EngineEvent) => {
    events.push(event);
    listen(event);
  };
  process.on("SIGINT", leaveToEngine);
  try {
    await operation({ onEvent, color: "never" });
  } catch (error) {
    if (isInterrupted || (error instanceof Error && /SIGINT/.test(error.message))) throw new Interrupted();
    if (!(error instanceof CommandError)) throw error;
    throw new EngineFailure(explain(events, error.message));
  } finally {
    process.off("SIGINT", leaveToEngine);
  }
  if (isInterrupted) throw new Interrupted();
  return events;
}

/** The errors among the events, each once. Before there are any events, what the CLI wrote to stderr. */
export function explain(events: readonly EngineEvent[], output: string): string {
  const messages = events
    .flatMap(({ diagnosticEvent }) => diagnosticEvent ?? [])
    .filter(({ severity }) => severity === "error")
    .map(({ message }) => message.replaceAll(/<\{%.*?%\}>/g, "").trim());
  // Printed at the end of every failure, without information.
  const useful = [...new Set(messages)].filter((message) => !/^(update|preview|destroy) failed$/.test(message));
  if (useful.length > 0) return useful.join("\n");
  const stderr = /stderr: ([\s\S]*?)\n err\?:/.exec(output)?.[1]?.trim() || output;
  return stderr.replace(/^Command failed with exit code \d+: .*\n/, "");
}

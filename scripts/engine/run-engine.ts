import { CommandError, type EngineEvent } from "@pulumi/pulumi/automation/index.js";

type Listener = (event: EngineEvent) => void;
type Operation = (options: { onEvent: Listener; color: "never" }) => Promise<unknown>;

/** What the engine said when an operation failed, without the rest of its output. */
export class EngineFailure extends Error {}

/** A person stopped the engine. What it had begun is ended and in the state; the rest was not done. */
class Interrupted extends Error {
  constructor() {
    super("interrupted: what was begun has been ended, the rest was not done");
  }
}

/**
 * Lets the engine do one operation and returns its events. Throws EngineFailure. An interrupt is left to the engine, which ends what it has
 * begun: a killed update would leave resources in nobody's state. Then Interrupted is thrown, whatever the engine says: it calls a destroy
 * that was interrupted a success.
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

/** The errors among the events, each once; before there were any events, what the CLI wrote to stderr. */
export function explain(events: readonly EngineEvent[], output: string): string {
  const told = events
    .flatMap(({ diagnosticEvent }) => diagnosticEvent ?? [])
    .filter(({ severity }) => severity === "error")
    .map(({ message }) => message.replaceAll(/<\{%.*?%\}>/g, "").trim());
  // Said at the end of every failure, and of no use to anybody.
  const useful = [...new Set(told)].filter((message) => !/^(update|preview|destroy) failed$/.test(message));
  if (useful.length > 0) return useful.join("\n");
  const stderr = /stderr: ([\s\S]*?)\n err\?:/.exec(output)?.[1]?.trim() || output;
  return stderr.replace(/^Command failed with exit code \d+: .*\n/, "");
}

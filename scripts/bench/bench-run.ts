import { renderSection } from "./report/render-table.ts";
import type { Figures, MetricName, Report, Section } from "./report/report.ts";
import { measureInTurns, type Variant } from "./report/rounds.ts";
import { NotMeasurable } from "./servers/app-server.ts";
import type { BenchSite } from "./servers/bench-site.ts";
import { type Asking, askServer, type MeasuredServer } from "./servers/measured-server.ts";

/** How long and how often is measured. */
export type Pace = Readonly<{ isQuick: boolean; rounds: number; roundMs: number }>;

/** What one file of rows/ measures. */
export type Area = Readonly<{
  name: string;
  about: string;
  /** Why it runs only when somebody names it. */
  onlyNamed?: string;
  /** The room on the disk that it needs at most. */
  roomBytes(pace: Pace): number;
  measure(bench: BenchRun): Promise<void>;
}>;

export type Comparison = Readonly<{
  id: string;
  title: string;
  about: string;
  variants: readonly Variant[];
  metric?: MetricName;
  /** The row that the others are compared with. */
  baseline?: string;
  /** Fewer than the pace says. */
  rounds?: number;
}>;

/** One run of the bench: where it measures, how long, and what it has found so far. */
export class BenchRun {
  readonly pace: Pace;
  readonly site: BenchSite;
  readonly sections: Section[] = [];
  readonly omissions: { what: string; why: string }[] = [];
  readonly failures: string[] = [];
  readonly #say: (text: string) => void;

  constructor(pace: Pace, site: BenchSite, say: (text: string) => void) {
    this.pace = pace;
    this.site = site;
    this.#say = say;
  }

  /** A round of what needs no server, which is as good when it is short. */
  get shortMs(): number {
    return this.pace.isQuick ? Math.min(300, this.pace.roundMs) : this.pace.roundMs;
  }

  /** The rounds of tables that are not the main ones. */
  get sideRounds(): number {
    return this.pace.isQuick ? Math.min(2, this.pace.rounds) : this.pace.rounds;
  }

  /** Measures one area. When it fails, the others go on: nobody wants to wait again for what was measured. */
  async measure(area: Area): Promise<void> {
    try {
      await area.measure(this);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (error instanceof NotMeasurable) return this.omit(area.name, why);
      this.failures.push(`${area.name} (${why})`);
      this.omit(`the rest of ${area.name}`, `it failed: ${why}`);
    }
  }

  /** Measures the variants in turns, and adds the result to the report. */
  async compare({ id, title, about, variants, metric = "perSecond", baseline, rounds }: Comparison): Promise<void> {
    const rows = await measureInTurns(variants, rounds ?? this.pace.rounds);
    this.add({ id, title, about, metric, baseline: baseline ?? null, rows, text: null });
  }

  /** Asks a server for one round of the pace. */
  ask(server: MeasuredServer, asking: Omit<Asking, "roundMs">): Promise<Figures> {
    return askServer(server, { ...asking, roundMs: this.pace.roundMs }, this.site);
  }

  /** Starts a peer. Null when that fails: then the report says that `what` was not measured, and why. */
  async startPeer<Peer>(what: string, start: () => Promise<Peer>): Promise<Peer | null> {
    try {
      return await start();
    } catch (error) {
      this.omit(what, error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  add(section: Section): void {
    this.sections.push(section);
    this.#say(renderSection(section));
  }

  /** Says what cannot be measured here: "because" and the reason. */
  omit(what: string, why: string): void {
    this.omissions.push({ what, why });
    this.#say(`\nnot measured: ${what}, because ${why}`);
  }

  toReport(rest: Omit<Report, "format" | "mode" | "rounds" | "roundMs" | "sections" | "omissions">): Report {
    const { isQuick, rounds, roundMs } = this.pace;
    const { sections, omissions } = this;
    return { format: 1, mode: isQuick ? "quick" : "full", rounds, roundMs, ...rest, sections, omissions };
  }
}

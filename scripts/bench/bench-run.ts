import { renderSection } from "./report/render-table.ts";
import type { MetricName, Report, Section } from "./report/report.ts";
import { measureInTurns, type Variant } from "./report/rounds.ts";
import type { BenchSite } from "./servers/bench-site.ts";

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
  /** Fewer or more than the pace says. */
  rounds?: number;
}>;

/** One run of the bench: where it measures, how long, and what it has found so far. */
export class BenchRun {
  readonly pace: Pace;
  readonly site: BenchSite;
  readonly sections: Section[] = [];
  readonly omissions: { what: string; why: string }[] = [];
  readonly #say: (text: string) => void;

  constructor(pace: Pace, site: BenchSite, say: (text: string) => void) {
    this.pace = pace;
    this.site = site;
    this.#say = say;
  }

  /** Measures the variants in turns, and adds the result to the report. */
  async compare({ id, title, about, variants, metric = "perSecond", baseline, rounds }: Comparison): Promise<void> {
    const rows = await measureInTurns(variants, rounds ?? this.pace.rounds);
    this.add({ id, title, about, metric, baseline: baseline ?? null, rows, text: null });
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

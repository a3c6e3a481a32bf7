import type { Log } from "../log.ts";
import { type DeployNotes, readNotes, writeNotes } from "./deploy-notes.ts";
import { type DeployReport, sayEveryMs } from "./deploy-report.ts";
import type { Installation, Installer } from "./installer.ts";
import { judgeInstallation } from "./judge-installation.ts";
import { releaseHash, releaseOf, type WantedRelease } from "./wanted-release.ts";
import type { WishReader } from "./wish-reader.ts";

/** The calls to the bucket. */
export type Wishes = Pick<WishReader, "readWish" | "readReport" | "isNewerThanDesired" | "putReport">;

type WatchOptions = { installer: Installer; notesFile: string; nameMachine: () => string; log: Log };

type Begun = NonNullable<DeployNotes["begun"]>;

/** A deploy that is cut off so often is not begun again: it may be what cuts it off. */
const mostAttempts = 3;
const busyCode = 75;

/**
 * Carries out the wish that stands in the bucket, once. What is over, here or by its report, is not done again; what
 * was begun is ended and reported, also after a restart, and also when another wish stands by then.
 */
export class DeployWatch {
  readonly #options: WatchOptions;
  #notes: DeployNotes;
  #saidAt = 0;
  #saidCause: string | null = null;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#notes = readNotes(options.notesFile);
  }

  /** Whether a deploy is under way here. */
  get isBusy(): boolean {
    return this.#notes.begun !== null;
  }

  /** Looks once, and does what is next. Never waits for an installation. Throws BucketError and ShapeError. */
  async goOn(wishes: Wishes): Promise<void> {
    const wish = await wishes.readWish();
    if (this.#notes.begun !== null) await this.#goOnWith(wishes, wish);
    else if (wish !== null && wish.deploy !== this.#notes.handled) await this.#take(wishes, wish);
  }

  async #take(wishes: Wishes, wish: WantedRelease): Promise<void> {
    const standing = await wishes.readReport(wish.deploy);
    const isOver = standing !== null && standing.outcome !== "working";
    // An old wish must not undo what came after it.
    if (isOver && !(await this.#isUnfinished(wishes, standing))) {
      this.#note({ format: 1, handled: wish.deploy, begun: null });
      return;
    }
    // Whoever wrote it brings it, or it is for another machine.
    if ((wish.way === "ssh" || !this.#isMeant(wish)) && !isOver) return;
    const { installer } = this.#options;
    const report = this.#draft(wish);
    if (wish.way === "stop") return this.#begin(wishes, wish, { report, attempts: 1 });
    if (!releaseHash.test(wish.sha256)) {
      await this.#end(wishes, { ...report, ...refuse(`"${wish.sha256}" is not a SHA-256`, "npm run deploy") });
      return;
    }
    const hindrance = await installer.findHindrance();
    if (hindrance !== null) {
      await this.#say(wishes, { ...report, cause: hindrance });
      return;
    }
    // `up` wants the machine to serve, whoever stopped it.
    if (wish.way !== "settings" && (await installer.isStopped())) {
      await this.#end(wishes, { ...report, ...stopped });
      return;
    }
    await this.#begin(wishes, wish, { report, attempts: 1 });
  }

  /** Whether a wish is for whichever machine, or for this one. */
  #isMeant(wish: WantedRelease): boolean {
    return !("machine" in wish) || wish.machine === this.#options.nameMachine();
  }

  /** A new machine, where another one has served the release, but nobody has told so to new machines. */
  async #isUnfinished(wishes: Wishes, { outcome, sha256 }: DeployReport): Promise<boolean> {
    if (this.#notes.handled !== null || outcome !== "serving") return false;
    return sha256 !== this.#options.installer.currentRelease() && (await wishes.isNewerThanDesired());
  }

  async #begin(wishes: Wishes, wish: WantedRelease, begun: Begun): Promise<void> {
    const { installer, log } = this.#options;
    const { report, attempts } = begun;
    installer.clear();
    this.#note({ ...this.#notes, begun });
    const { deploy, sha256 } = report;
    log.info({ deploy, way: wish.way, sha256, attempts }, "deploy begun");
    await installer.start(this.#programFor(wish, report.previous ?? installer.currentRelease()));
    await this.#say(wishes, report);
  }

  /** The program of a release that carries out a wish, with its words. */
  #programFor(wish: WantedRelease, previous: string): string[] {
    if (wish.way === "stop") return ["stop-services"];
    if (wish.way === "settings" && this.#isMeant(wish))
      return ["take-settings", wish.settings, wish.sha256, previous, String(wish.volumeGb)];
    return ["deploy-release", wish.sha256, previous];
  }

  async #goOnWith(wishes: Wishes, wish: WantedRelease | null): Promise<void> {
    const { begun } = this.#notes;
    if (begun === null) return;
    const { report, attempts } = begun;
    if (report.outcome !== "working") {
      await this.#end(wishes, report);
      return;
    }
    const installation = await this.#options.installer.look();
    switch (installation.state) {
      case "running":
        return this.#say(wishes, report);
      case "ended":
        return installation.code === busyCode ? this.#giveBack() : this.#conclude(wishes, report, installation);
      case "gone":
        if (wish?.deploy === report.deploy && attempts < mostAttempts)
          return this.#begin(wishes, wish, { report, attempts: attempts + 1 });
        return this.#conclude(wishes, report, installation);
      default:
        return installation satisfies never;
    }
  }

  /** Something else got the lock first, and nothing was touched. */
  #giveBack(): void {
    this.#note({ ...this.#notes, begun: null });
  }

  async #conclude(wishes: Wishes, report: DeployReport, installation: Installation): Promise<void> {
    const current = this.#options.installer.currentRelease();
    await this.#end(wishes, { ...report, ...judgeInstallation(report, { installation, current }) });
  }

  /** Noted before it is told: a store that is away must not cost the outcome. */
  async #end(wishes: Wishes, ended: DeployReport): Promise<void> {
    const endedAt = ended.endedAt ?? new Date().toISOString();
    const report = { ...ended, endedAt, seenAt: endedAt };
    this.#note({ ...this.#notes, begun: { report, attempts: mostAttempts } });
    await wishes.putReport(report);
    this.#note({ format: 1, handled: report.deploy, begun: null });
    const { deploy, outcome, sha256, previous, cause } = report;
    if (outcome === "serving") this.#options.log.info({ deploy, outcome, sha256, previous }, "deploy ended");
    else this.#options.log.error({ deploy, outcome, sha256, previous, cause }, "deploy ended without its release");
  }

  /** Says that it is at work: at once, when the cause changes, and now and then. */
  async #say(wishes: Wishes, report: DeployReport): Promise<void> {
    const isNews = this.#saidCause !== `${report.deploy} ${report.cause}`;
    if (!isNews && performance.now() - this.#saidAt < sayEveryMs) return;
    await wishes.putReport({ ...report, seenAt: new Date().toISOString() });
    this.#saidAt = performance.now();
    this.#saidCause = `${report.deploy} ${report.cause}`;
  }

  #draft(wish: WantedRelease): DeployReport {
    const now = new Date().toISOString();
    const current = this.#options.installer.currentRelease();
    return {
      format: 1,
      deploy: wish.deploy,
      way: wish.way,
      outcome: "working",
      sha256: releaseOf(wish) ?? current,
      previous: current,
      cause: null,
      next: null,
      words: null,
      machine: this.#options.nameMachine(),
      startedAt: now,
      seenAt: now,
      endedAt: null,
    };
  }

  #note(notes: DeployNotes): void {
    writeNotes(this.#options.notesFile, notes);
    this.#notes = notes;
  }
}

function refuse(cause: string, next: string) {
  return { outcome: "refused", cause, next } as const;
}

const stopped = refuse(
  "somebody has stopped Lifeboat on the machine, or takes it away just now",
  "to serve again, on the machine: systemctl start lifeboat.target, or npm run up; then npm run deploy",
);

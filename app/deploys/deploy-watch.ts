import type { Log } from "../log.ts";
import { ShapeError } from "../replica/parse-json.ts";
import { DeployNotebook, type DeployNotes } from "./deploy-notes.ts";
import { type DeployReport, draftReport, isOver, isWaiting, sayEveryMs, silenceLimitMs } from "./deploy-report.ts";
import type { Hindrance, Installation, Installer } from "./installer.ts";
import { installationCodes, judgeInstallation } from "./judge-installation.ts";
import { expired, lookAtBootstrap, makeRoom, refuse, stopped } from "./refusals.ts";
import { releaseHash, type WantedRelease } from "./wanted-release.ts";
import type { WishReader } from "./wish-reader.ts";

/** The calls to the bucket. */
export type Wishes = Pick<WishReader, "readWish" | "readReport" | "isNewerThanDesired" | "putReport" | "silentMs">;

type WatchOptions = { installer: Installer; notesFile: string; nameMachine: () => string; log: Log };

type Begun = NonNullable<DeployNotes["begun"]>;

/** A deploy that is cut off so often is not begun again: it may be what cuts it off. */
const mostAttempts = 3;
/** Reports of one deploy that are written at the same moment, by two machines or by one and whoever takes it back. */
const mostCollisions = 3;

/**
 * Carries out the wish that stands in the bucket, once. What is over, here or by its report, is not done again; what
 * was begun is ended and reported, also after a restart, and also when another wish stands by then.
 */
export class DeployWatch {
  readonly #options: WatchOptions;
  readonly #notebook: DeployNotebook;
  #said = { at: 0, words: "" };
  /** Since when the deploy of that name waits here. */
  #waiting = { deploy: "", since: 0 };
  /** The wish that is not for this machine, or not yet. */
  #leftAlone = { deploy: "", at: 0 };

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#notebook = new DeployNotebook(options.notesFile, options.log);
  }

  /** Whether a deploy is under way here. */
  get isBusy(): boolean {
    return this.#notes.begun !== null;
  }

  /** Looks once, and does what is next. Never waits for an installation. Throws BucketError and ShapeError. */
  async goOn(wishes: Wishes): Promise<void> {
    if (this.#notes.begun !== null) return this.#goOnWith(wishes, await readOther(wishes));
    const wish = await wishes.readWish();
    if (wish !== null && wish.deploy !== this.#notes.handled) await this.#take(wishes, wish);
  }

  async #take(wishes: Wishes, wish: WantedRelease): Promise<void> {
    const { deploy } = wish;
    if (this.#leftAlone.deploy === deploy && performance.now() - this.#leftAlone.at < sayEveryMs) return;
    const { standing, damage } = await readReport(wishes, deploy);
    // An old wish must not undo what came after it.
    if (isOver(standing) && !(await this.#isUnfinished(wishes, standing))) {
      this.#notebook.noteIfPossible({ format: 1, handled: deploy, begun: null });
      return;
    }
    // Whoever wrote it brings it, or it is for another machine.
    if ((wish.way === "ssh" || !this.#isMeant(wish)) && !isOver(standing)) {
      this.#leftAlone = { deploy, at: performance.now() };
      return;
    }
    const report = draftReport(wish, this.#options.nameMachine(), this.#options.installer.currentRelease());
    if (this.#hasForgotten(standing, report)) {
      this.#notebook.noteIfPossible({ ...this.#notes, begun: { report: standing, attempts: mostAttempts } });
      return;
    }
    const refusal = damage === null ? await this.#findRefusal(wishes, wish) : refuse(damage, expired.next);
    if (refusal !== null) return this.#end(wishes, { ...report, ...refusal });
    // Boot may be what fails, or what somebody wants to stop.
    const hindrance = wish.way === "stop" ? null : await this.#options.installer.findHindrance();
    if (hindrance !== null) return this.#wait(wishes, report, hindrance);
    // `up` wants the machine to serve, whoever stopped it.
    if (wish.way !== "settings" && wish.way !== "stop" && (await this.#options.installer.isStopped()))
      return this.#end(wishes, { ...report, ...stopped });
    const fault = this.#findDiskFault(wish);
    if (fault !== null) return this.#end(wishes, { ...report, ...refuse(fault, makeRoom) });
    this.#options.installer.clear();
    // Another machine, or whoever takes the wish back, may be quicker. The next look tells.
    if (await this.#put(wishes, report)) await this.#begin(wish, { report, attempts: 1 });
  }

  /** Whether this machine has begun it, by its report, and does not know that because its notes were damaged. */
  #hasForgotten(standing: DeployReport | null, { machine }: DeployReport): standing is DeployReport {
    if (!this.#notebook.hasForgotten || this.#notes.handled !== "" || standing === null) return false;
    return !isOver(standing) && !isWaiting(standing) && standing.machine === machine;
  }

  async #findRefusal(wishes: Wishes, wish: WantedRelease) {
    if (this.#isExpired(wishes, wish)) return expired;
    if (wish.way === "stop" || releaseHash.test(wish.sha256)) return null;
    return refuse(`"${wish.sha256}" is not a SHA-256`, "npm run deploy");
  }

  /** Whoever wishes something of one machine waits for it, and has given up by now. */
  #isExpired(wishes: Wishes, wish: WantedRelease): boolean {
    return "machine" in wish && this.#isMeant(wish) && wishes.silentMs() > silenceLimitMs;
  }

  async #wait(wishes: Wishes, report: DeployReport, { cause, limitMs }: Hindrance): Promise<void> {
    const { deploy } = report;
    if (this.#waiting.deploy !== deploy) this.#waiting = { deploy, since: performance.now() };
    if (performance.now() - this.#waiting.since > limitMs) {
      const words = `it waited in vain for ${Math.round(limitMs / 60_000)} minutes: ${cause}`;
      return this.#end(wishes, { ...report, ...refuse(words, lookAtBootstrap) });
    }
    if (this.#isNews({ ...report, cause })) await this.#put(wishes, { ...report, cause });
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

  async #begin(wish: WantedRelease, begun: Begun): Promise<void> {
    const { installer, log } = this.#options;
    const { report, attempts } = begun;
    installer.clear();
    if (wish.way === "stop") this.#notebook.noteIfPossible({ ...this.#notes, begun });
    else this.#notebook.note({ ...this.#notes, begun });
    const { deploy, sha256 } = report;
    log.info({ deploy, way: wish.way, sha256, attempts }, "deploy begun");
    await installer.start(this.#programFor(wish, report.previous ?? installer.currentRelease()));
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
    const { installer } = this.#options;
    const installation = await installer.look();
    const isBusy = installation.state === "ended" && installation.code === installationCodes.busy;
    if (installation.state === "running") return this.#say(wishes, report);
    // Something else got the lock first. A first attempt has touched nothing, so it is as if it had not begun.
    if (isBusy && attempts === 1) return this.#notebook.noteIfPossible({ ...this.#notes, begun: null });
    if (installation.state === "ended" && !isBusy) return this.#conclude(wishes, report, installation);
    // It may have been off for days. What is written now would hide that.
    await readReport(wishes, report.deploy);
    const mayGoOn = wish !== null && wish.deploy === report.deploy && !this.#isExpired(wishes, wish);
    if (!mayGoOn || (attempts >= mostAttempts && !isBusy)) return this.#conclude(wishes, report, { state: "gone" });
    if (isBusy && (await installer.findHindrance()) !== null) return this.#say(wishes, report);
    const fault = this.#findDiskFault(wish);
    if (fault !== null) return this.#conclude(wishes, report, { state: "gone", cause: fault });
    await this.#begin(wish, { report, attempts: isBusy ? attempts : attempts + 1 });
  }

  /** Why nothing can be noted now, and so nothing be begun. A stop needs no room, and may make some. */
  #findDiskFault({ way }: WantedRelease): string | null {
    return way === "stop" ? null : this.#notebook.findFault();
  }

  async #conclude(wishes: Wishes, report: DeployReport, installation: Installation): Promise<void> {
    const { installer } = this.#options;
    const facts = { installation, current: installer.currentRelease(), isReady: await installer.isReady() };
    await this.#end(wishes, { ...report, ...judgeInstallation(report, facts) });
  }

  /** Noted before it is told: a store that is away must not cost the outcome. */
  async #end(wishes: Wishes, ended: DeployReport): Promise<void> {
    const endedAt = ended.endedAt ?? new Date().toISOString();
    const report = { ...ended, endedAt, seenAt: endedAt };
    this.#notebook.noteIfPossible({ ...this.#notes, begun: { report, attempts: mostAttempts } });
    await this.#publish(wishes, report);
    this.#notebook.noteIfPossible({ format: 1, handled: report.deploy, begun: null });
    const { deploy, way, outcome, sha256, previous, cause } = report;
    const isGood = outcome === "serving" || outcome === "stopped";
    if (isGood) this.#options.log.info({ deploy, way, outcome, sha256, previous }, "deploy ended");
    else
      this.#options.log.error({ deploy, way, outcome, sha256, previous, cause }, "deploy ended otherwise than wished");
  }

  /** Says now and then that it is at work. */
  async #say(wishes: Wishes, report: DeployReport): Promise<void> {
    if (this.#isNews(report)) await this.#publish(wishes, { ...report, seenAt: new Date().toISOString() });
  }

  #isNews({ deploy, cause }: DeployReport): boolean {
    return this.#said.words !== `${deploy} ${cause}` || performance.now() - this.#said.at > sayEveryMs;
  }

  /** Tells of what was begun here, or is over: also when the answer to the report before was lost. */
  async #publish(wishes: Wishes, report: DeployReport): Promise<void> {
    for (let tries = 0; tries < mostCollisions; tries++) {
      if (await this.#put(wishes, report)) return;
      const { standing } = await readReport(wishes, report.deploy);
      // What another machine has ended stays ended.
      if (isOver(standing) && standing.machine !== report.machine) return;
    }
    throw new Error(`the report of deploy ${report.deploy} is changed again and again by somebody else`);
  }

  async #put(wishes: Wishes, report: DeployReport): Promise<boolean> {
    const isWritten = await wishes.putReport(report);
    if (isWritten) this.#said = { at: performance.now(), words: `${report.deploy} ${report.cause}` };
    return isWritten;
  }

  get #notes(): DeployNotes {
    return this.#notebook.notes;
  }
}

/** What stands in the bucket, or why that is no report: then it may be replaced. */
async function readReport(wishes: Wishes, deploy: string) {
  try {
    return { standing: await wishes.readReport(deploy), damage: null };
  } catch (error) {
    if (error instanceof ShapeError) return { standing: null, damage: error.message };
    throw error;
  }
}

/** The wish that stands. Null for what is no wish, too: it is another one than what was begun. */
async function readOther(wishes: Wishes): Promise<WantedRelease | null> {
  try {
    return await wishes.readWish();
  } catch (error) {
    if (error instanceof ShapeError) return null;
    throw error;
  }
}

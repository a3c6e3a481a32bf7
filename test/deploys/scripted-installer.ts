import type { Hindrance, Installation, Installer } from "../../app/deploys/installer.ts";

export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Installs what it is told to when `finish` says so. */
export class ScriptedInstaller implements Installer {
  current: string;
  hindrance: Hindrance | null = null;
  stopped = false;
  ready = true;
  readonly started: string[] = [];
  /** The release that was started last. */
  wanted = "";
  installation: Installation = { state: "gone" };

  constructor(current: string) {
    this.current = current;
  }

  currentRelease = () => this.current;
  findHindrance = async () => this.hindrance;
  isReady = async () => this.ready;
  isStopped = async () => this.stopped;
  clear = () => void (this.installation = { state: "gone" });
  look = async () => this.installation;
  start = async ([program = "", ...words]: readonly string[]) => {
    const [sha256 = "", previous = ""] = words;
    const isDeploy = program === "deploy-release";
    this.started.push(isDeploy ? `${sha256.slice(0, 1)} after ${previous.slice(0, 1)}` : [program, ...words].join(" "));
    this.wanted = sha256;
    this.installation = { state: "running" };
  };

  finish(code: number, current: string, words = ""): void {
    this.current = current;
    this.installation = { state: "ended", code, words };
  }
}

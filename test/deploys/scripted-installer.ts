import type { Installation, Installer } from "../../app/deploys/installer.ts";

export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Installs what it is told to when `finish` says so. */
export class ScriptedInstaller implements Installer {
  current: string;
  hindrance: string | null = null;
  stopped = false;
  readonly started: string[] = [];
  /** What was started last. */
  wanted = "";
  installation: Installation = { state: "gone" };

  constructor(current: string) {
    this.current = current;
  }

  currentRelease = () => this.current;
  findHindrance = async () => this.hindrance;
  isStopped = async () => this.stopped;
  clear = () => void (this.installation = { state: "gone" });
  look = async () => this.installation;
  start = async (sha256: string, previous: string) => {
    this.started.push(`${sha256.slice(0, 1)} after ${previous.slice(0, 1)}`);
    this.wanted = sha256;
    this.installation = { state: "running" };
  };

  finish(code: number, current: string, words = ""): void {
    this.current = current;
    this.installation = { state: "ended", code, words };
  }
}

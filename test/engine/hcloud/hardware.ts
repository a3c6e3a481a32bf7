import type { Server, Volume } from "./cloud.ts";

/** What stands behind the servers and volumes of a project. Each promise resolves when it has happened, or rejects. */
export type Hardware = Readonly<{
  /** Makes a server and switches it on. */
  make(server: Server): Promise<void>;
  /** Takes a server away as it is. */
  remove(server: Server): Promise<void>;
  powerOn(server: Server): Promise<void>;
  powerOff(server: Server): Promise<void>;
  /** Presses the power button, and waits until the server is off. */
  shutDown(server: Server): Promise<void>;
  makeVolume(volume: Volume): Promise<void>;
  removeVolume(volume: Volume): Promise<void>;
  growVolume(volume: Volume): Promise<void>;
  attach(volume: Volume, server: Server): Promise<void>;
  detach(volume: Volume, server: Server): Promise<void>;
}>;

const done = async () => undefined;

/** Nothing: servers that are names and numbers. */
export const noHardware: Hardware = {
  make: done,
  remove: done,
  powerOn: done,
  powerOff: done,
  shutDown: done,
  makeVolume: done,
  removeVolume: done,
  growVolume: done,
  attach: done,
  detach: done,
};

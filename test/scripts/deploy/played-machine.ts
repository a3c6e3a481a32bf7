import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { DeployWatch } from "../../../app/deploys/deploy-watch.ts";
import { WishReader } from "../../../app/deploys/wish-reader.ts";
import type { BucketConfig } from "../../../app/replica/s3-client.ts";
import { ScriptedInstaller, silent } from "../../deploys/scripted-installer.ts";

type Ending = Readonly<{ code: number; words: string; isCurrent: boolean }>;

const serving: Ending = { code: 0, words: "", isCurrent: true };

/** The real watcher of a machine, whose installations end as it is told. */
export class PlayedMachine implements AsyncDisposable {
  readonly installer: ScriptedInstaller;
  readonly #directory = mkdtempSync(join(tmpdir(), "lifeboat-played-"));
  readonly #done: Promise<void>;
  #isOn = true;

  constructor(bucket: BucketConfig, current: string, ending: Ending = serving) {
    this.installer = new ScriptedInstaller(current);
    this.#done = this.#run(bucket, ending);
  }

  async #run(bucket: BucketConfig, { code, words, isCurrent }: Ending): Promise<void> {
    using reader = new WishReader(bucket);
    const notesFile = join(this.#directory, "notes.json");
    const watch = new DeployWatch({ installer: this.installer, notesFile, nameMachine: () => "4711", log: silent });
    while (this.#isOn) {
      await watch.goOn(reader);
      const { installation, wanted } = this.installer;
      if (installation.state === "running")
        this.installer.finish(code, isCurrent ? wanted : this.installer.current, words);
      await sleep(50);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOn = false;
    await this.#done;
    rmSync(this.#directory, { recursive: true });
  }
}

import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { parseDocument } from "yaml";

export type SettingChanges = {
  /** The project's name. It is the prefix of every setting in the file. */
  project: string;
  location?: string | undefined;
  serverType?: string | undefined;
  rebuild: boolean;
};

/** Renders a stack's settings file with the changes. Comments, secrets and everything else stay as they are. */
export function changeSettings(yaml: string, { project, rebuild, ...places }: SettingChanges): string {
  const document = parseDocument(yaml);
  for (const key of ["location", "serverType"] as const)
    if (places[key] !== undefined) document.setIn(["config", `${project}:${key}`], places[key]);
  if (rebuild) {
    const number = Number(document.getIn(["config", `${project}:rebuild`]) ?? 0);
    document.setIn(["config", `${project}:rebuild`], String(number + 1));
  }
  return document.toString({ lineWidth: 0 });
}

/**
 * Settings that a plan is made from, and that are written to the stack's own file only when the plan is approved. Until
 * then they are in a temporary folder, which is removed with this object.
 */
export class ProposedSettings implements AsyncDisposable {
  /** The file to plan with. Undefined when nothing differs from the stack's own. */
  readonly file: string | undefined;
  readonly #ownFile: string;

  private constructor(ownFile: string, file: string | undefined) {
    this.#ownFile = ownFile;
    this.file = file;
  }

  static async propose(ownFile: string, changes: SettingChanges): Promise<ProposedSettings> {
    const own = await readFile(ownFile, "utf8").catch((error: unknown) => {
      throw new Error(`${ownFile} cannot be read: the stack has no settings yet; set them as the README says`, {
        cause: error,
      });
    });
    const { location, serverType, rebuild } = changes;
    const isAsBefore = location === undefined && serverType === undefined && !rebuild;
    const proposed = isAsBefore ? own : changeSettings(own, changes);
    if (proposed === own) return new ProposedSettings(ownFile, undefined);
    const file = join(await mkdtemp(join(tmpdir(), "lifeboat-settings-")), basename(ownFile));
    await writeFile(file, proposed, { mode: 0o600 });
    return new ProposedSettings(ownFile, file);
  }

  /** Writes them to the stack's own file. */
  async accept(): Promise<void> {
    if (this.file === undefined) return;
    const next = `${this.#ownFile}.next`;
    await writeFile(next, await readFile(this.file, "utf8"));
    await rename(next, this.#ownFile);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.file !== undefined) await rm(join(this.file, ".."), { recursive: true, force: true });
  }
}

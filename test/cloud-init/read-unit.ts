import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The folder of the units that a release brings. */
const releaseUnits = join(import.meta.dirname, "../../cloud-init/release/systemd");

/** Every value that a unit of the release gives to a setting, in order. */
export function readUnit(unit: string, setting: string): string[] {
  const lines = readFileSync(join(releaseUnits, unit), "utf8").split("\n");
  return lines.filter((line) => line.startsWith(`${setting}=`)).map((line) => line.slice(setting.length + 1));
}

/** What a unit's Environment= lines set. */
export function readUnitEnvironment(unit: string): Record<string, string> {
  const words = readUnit(unit, "Environment").flatMap((line) => line.split(" "));
  return Object.fromEntries(words.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]));
}

import { type Flags, UsageError } from "../../app/cli/flags.ts";
import { renderCommand } from "../../app/cli/help.ts";
import { findNearName } from "../../app/cli/near-name.ts";
import { quote } from "../../app/cli/quote.ts";
import { findNpmFlags, type NpmFlag, renderTyped } from "../setup/npm-flags.mjs";

type Environment = Readonly<Record<string, string | undefined>>;
type Typed = Readonly<{
  name: string;
  /** The program's flags. Null when they are not known here. */
  flags: Flags | null;
  words: readonly string[];
  /** Comes before its words. */
  program?: string;
}>;

// A shorter setting of npm's own would count as the beginning of one of our flags.
const leastLength = 3;

/**
 * Without "--" npm takes the flags for its own settings, and the verb would run without them: `--dry-run` would be no
 * dry run. Throws UsageError for every setting that npm kept and that is a flag of this verb, its beginning, or the
 * flag without its hyphens, and is not among the words; and for everything else that was typed and is not a setting of
 * npm: a typo, or another verb's flag. npm leaves no trace of `--location NAME` and `--rebuild`, which are settings of
 * its own.
 */
export function refuseSwallowedFlags({ name, flags, words, program }: Typed, environment: Environment): void {
  const order = [...Object.keys(flags ?? {}), undefined];
  const kept = findNpmFlags(environment)
    .map((setting) => ({ setting, flag: findFlag(setting, flags ?? {}) }))
    .toSorted((one, other) => order.indexOf(one.flag) - order.indexOf(other.flag));
  const given = new Set(words.map((word) => word.split("=")[0]));
  const swallowed = kept.filter(({ setting, flag }) =>
    flag === undefined ? !setting.isNpms : !given.has(`--${flag}`),
  );
  if (swallowed.length === 0) return;
  const meant = swallowed.map(({ setting, flag = findNear(setting, Object.keys(flags ?? {})) }) => ({ setting, flag }));
  const typed = swallowed.map(({ setting, flag }) => (flag === undefined ? renderTyped(setting) : hint(flag, flags)));
  const slips = meant.flatMap(({ setting, flag }, index) => {
    if (flags === null || swallowed[index]?.flag !== undefined) return [];
    const near = flag === undefined ? "" : `; did you mean --${flag}?`;
    return [` ${program ?? name} has no flag ${renderTyped(setting).split("=")[0]}${near}${near === "" ? "." : ""}`];
  });
  // A command without the part that nobody understands could do more than was meant.
  const isUnderstood = flags === null || meant.every(({ flag }) => flag !== undefined);
  const own = flags === null ? words.map(quote) : keepFlags(words, flags);
  const rest = isUnderstood ? [...own, ...meant.map((one) => renderMeant(one, flags ?? {}))] : ["--help"];
  throw new UsageError(
    `npm kept ${typed.join(" ")} for itself, and nothing was done.${slips.join("")} Flags stand behind two hyphens: ` +
      renderCommand(name, [...(program === undefined ? [] : [quote(program)]), ...rest].join(" ")) +
      ` (if your environment sets npm_config_*, unset it)`,
  );
}

function hint(flag: string, flags: Flags | null): string {
  const spec = flags?.[flag];
  return spec?.type === "string" ? `--${flag} ${spec.value}` : `--${flag}`;
}

function renderMeant({ setting, flag }: { setting: NpmFlag; flag?: string | undefined }, flags: Flags): string {
  const spec = flag === undefined ? undefined : flags[flag];
  if (spec === undefined) return quote(renderTyped(setting));
  if (spec.type === "boolean") return `--${flag}`;
  // npm says "true" where it has lost the value.
  return `--${flag} ${setting.value === "true" ? spec.value : quote(setting.value)}`;
}

/**
 * The flags among the words, with their values, as they are typed. Any other word is a value whose flag npm has kept.
 */
function keepFlags(words: readonly string[], flags: Flags): string[] {
  return words
    .filter((word, index) => {
      const before = words[index - 1] ?? "";
      return word.startsWith("--") || (before.startsWith("--") && flags[before.slice(2)]?.type === "string");
    })
    .map(quote);
}

/** The flag that a setting of npm may have been meant for. */
function findFlag({ key, value }: NpmFlag, flags: Flags): string | undefined {
  const found = compress(key);
  if (found.length < leastLength) return Object.keys(flags).find((flag) => flag === key);
  // npm writes "no" as an empty value.
  const isOff = value === "" || value === "false";
  return Object.keys(flags).find(
    (flag) => flag.startsWith("no-") === isOff && compress(flag.replace(/^no-/, "")).startsWith(found),
  );
}

function compress(name: string): string {
  return name.replaceAll(/[-_]/g, "").toLowerCase();
}

/** The flag with the most similar name. */
function findNear(setting: NpmFlag, flags: readonly string[]): string | undefined {
  return findNearName(renderTyped(setting).replace(/^-+/, "").split("=")[0] ?? "", flags);
}

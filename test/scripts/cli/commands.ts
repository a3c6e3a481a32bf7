import { verbs } from "../../../app/verbs.ts";
import { benchCommand } from "../../../scripts/bench/arguments.ts";
import { buildCommand } from "../../../scripts/build/arguments.ts";
import { deployCommand, releasesCommand, rollbackCommand } from "../../../scripts/deploy/arguments.ts";
import { devCommand } from "../../../scripts/dev/arguments.ts";
import { downCommand } from "../../../scripts/down/arguments.ts";
import { drillCommand } from "../../../scripts/drill/arguments.ts";
import { onLaptop } from "../../../scripts/remote/arguments.ts";
import { upCommand } from "../../../scripts/up/arguments.ts";
import { doublesCommand } from "../../engine/doubles-command.ts";

/** Every verb that reads a command line. */
export const commands = [
  upCommand,
  downCommand,
  deployCommand,
  rollbackCommand,
  releasesCommand,
  devCommand,
  drillCommand,
  buildCommand,
  benchCommand,
  doublesCommand,
  ...verbs.map(({ command }) => onLaptop(command)),
] as const;

import type { Area } from "./bench-run.ts";
import { beside } from "./rows/beside.ts";
import { durability } from "./rows/durability.ts";
import { fileSystems } from "./rows/file-systems.ts";
import { growth } from "./rows/growth.ts";
import { http } from "./rows/http.ts";
import { inProcess } from "./rows/in-process.ts";
import { latency } from "./rows/latency.ts";
import { longReader } from "./rows/long-reader.ts";
import { replication } from "./rows/replication.ts";
import { restarts } from "./rows/restarts.ts";
import { restore } from "./rows/restore.ts";
import { writer } from "./rows/writer.ts";

/** All that the bench can measure, in the order of the report. */
export const areas: readonly Area[] = [
  inProcess,
  http,
  latency,
  beside,
  durability,
  writer,
  replication,
  fileSystems,
  growth,
  restore,
  longReader,
  restarts,
];

import type { Area } from "./bench-run.ts";
import { http } from "./rows/http.ts";
import { inProcess } from "./rows/in-process.ts";
import { longReader } from "./rows/long-reader.ts";
import { restarts } from "./rows/restarts.ts";
import { writer } from "./rows/writer.ts";

/** All that the bench can measure, in the order of the report. */
export const areas: readonly Area[] = [inProcess, http, writer, longReader, restarts];

import { serveWriter } from "./database/serve-writer.ts";
import { documents } from "./load/documents.ts";

serveWriter(documents);

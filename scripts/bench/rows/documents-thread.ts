import { serveWriter } from "../../../app/database/serve-writer.ts";
import { documents } from "./documents.ts";

serveWriter(documents);

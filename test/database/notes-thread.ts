import { serveWriter } from "../../app/database/serve-writer.ts";
import { noteCommands, noteMigrations } from "./notes.ts";

serveWriter({ commands: noteCommands, migrations: noteMigrations });

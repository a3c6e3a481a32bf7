import { serveWriter } from "./database/serve-writer.ts";
import { commands } from "./service/commands.ts";
import { migrations } from "./service/migrations.ts";

serveWriter({ commands, migrations });

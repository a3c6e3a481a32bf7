import { openDatabase } from "../../../app/database/open-database.ts";

const [path = ""] = process.argv.slice(2);
const db = openDatabase(path, "writer");
const rows = db.prepare("select count(*) from sqlite_schema").pluck().get();
// The close of the last connection would checkpoint and delete the WAL.
db.close();
process.stdout.write(`${JSON.stringify({ rows })}\n`);

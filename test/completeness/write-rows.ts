import { openDatabase } from "../../app/database/open-database.ts";

// A process of its own, as the app is: Litestream checkpoints beside it. Arguments: database, rows per second, and
// optionally the wal_autocheckpoint to do it wrong with.
const [databasePath = "", rate = "", autocheckpoint] = process.argv.slice(2);
const everyMs = 5;
const rowsPerTick = Math.max(1, Math.round((Number(rate) * everyMs) / 1000));

const db = openDatabase(databasePath, "writer");
if (autocheckpoint !== undefined) db.pragma(`wal_autocheckpoint = ${Number(autocheckpoint)}`);
db.exec("create table if not exists rows (id integer primary key, body text not null)");
const insert = db.prepare("insert into rows (body) values (?)");

setInterval(() => {
  for (let row = 0; row < rowsPerTick; row += 1) insert.run(`${performance.now()} `.padEnd(200, "x"));
}, everyMs);

import { openDatabase } from "../../../app/database/open-database.ts";

/** A second process that reads: holds one snapshot of the database named on its command line until its input ends. */
const [, , path = ""] = process.argv;
const db = openDatabase(path, "reader");
db.exec("begin");
db.prepare("select count(*) from sqlite_schema").get();
console.log("held");
process.stdin.resume();
process.stdin.once("end", () => {
  db.exec("commit");
  db.close();
});

import { nameForeignWriter, nameSnapshotHolders } from "../../../app/database/lock-holders.ts";
import { openDatabase } from "../../../app/database/open-database.ts";

/** Says who this process sees at the locks of the database that is named on its command line. */
const [, , databasePath = ""] = process.argv;
const db = openDatabase(databasePath, "reader");
const places = { databasePath };
console.log(JSON.stringify({ snapshot: nameSnapshotHolders(places), writer: nameForeignWriter(places) }));
db.close();

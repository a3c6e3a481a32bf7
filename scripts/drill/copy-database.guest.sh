#!/bin/sh
# Prints a copy of the database inside a machine, whose programs go on. Node brings a SQLite of its own.
set -eu

runuser --user=lifeboat -- /opt/lifeboat/current/bin/node --no-warnings --input-type=module --eval '
  import { backup, DatabaseSync } from "node:sqlite";
  await backup(new DatabaseSync("/data/app.db", { readOnly: true }), "/data/copy.db");
'
cat /data/copy.db
rm /data/copy.db

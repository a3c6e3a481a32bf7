// ssh [-o NAME=VALUE]... USER@HOST SCRIPT, as the program's scripts call it. The machines answer over HTTP.
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";

const url = process.env["LIFEBOAT_TEST_MACHINES"] ?? "";
const words = process.argv.slice(2);
const [host = "", script = ""] = words.slice(-2);
const option = (name: string) => words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
const isPinned = option("StrictHostKeyChecking") === "yes";
const knownHosts = isPinned ? readFileSync(option("UserKnownHostsFile"), "utf8") : null;
const command = { host, script, hostKeyAlias: option("HostKeyAlias"), knownHosts, stdin: await text(process.stdin) };
const answer = await fetch(url, { method: "POST", body: JSON.stringify(command) });
process.stderr.write(await answer.text());
process.exitCode = answer.ok ? 0 : 255;

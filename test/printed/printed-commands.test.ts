import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { expect, test } from "vitest";

import { findFirstWords, findPrintedCommands, isKnown, readCommands } from "./find-commands.ts";
import { judge } from "./judge-command.ts";

const root = dirname(dirname(import.meta.dirname));

/** Where each command that is printed is executed: a file, and the text in it that does so. A new one has no place here yet. */
const executed: Record<string, readonly [file: string, text: string]> = {
  test: [".ci/run", "run_tests test "],
  types: [".ci/run", "types"],
  "test:slow": [".ci/run", "run_tests test:slow"],
  "test:engine": [".ci/run", "run_tests test:engine"],
  "test:rehearsal": [".ci/run", "start_tests test:rehearsal"],
  // All of its steps are.
  check: [".ci/run", "for part in format:check lint types unused"],
  drill: [".ci/run", "run_step drill"],
  dev: ["test/slow/dev.test.ts", "new Dev()"],
  "dev --fresh": ["test/slow/dev.test.ts", 'new Dev("--fresh")'],
  "dev --port": ["test/slow/dev.test.ts", 'new Dev("--port"'],
  "curl -H -sS": ["test/slow/dev.test.ts", "(curl .*)$/m"],
  "drill --help": ["test/scripts/cli/help.test.ts", '"--help"'],
  "drill --room": ["test/rehearsal/machine-room.test.ts", '"--room", "machine"'],
  "drill --seed": ["test/drill/drill.test.ts", '"--seed", "7"'],
  "drill --store": ["test/drill/drill.test.ts", '["--store", endpoint]'],
  bench: ["test/slow/printed.test.ts", '"bench"'],
  "bench --calibrate": ["test/scripts/bench/bench.test.ts", '"--calibrate"'],
  "bench --quick": ["test/slow/printed.test.ts", '"--quick"'],
  build: ["test/slow/printed.test.ts", 'run("build"'],
  "build --platform": ["test/slow/printed.test.ts", '"--platform", "linux-x64"'],
  doubles: ["test/engine/readme.test.ts", "run-with-doubles.ts"],
  up: ["test/engine/up.test.ts", 'await up("--yes")'],
  "up --dry-run": ["test/engine/up.test.ts", 'await up("--dry-run")'],
  "up --no-build": ["test/engine/project/run-verb.ts", '["--no-build"]'],
  "up --rebuild": ["test/engine/up.test.ts", 'up("--rebuild", "--yes")'],
  "up --location": ["test/engine/up.test.ts", 'up("--location", "hel1", "--yes")'],
  "up --approve-replacement": ["test/engine/up.test.ts", "To go on: npm run up -- (--approve-replacement)"],
  "up --adopt": ["test/engine/adopt.test.ts", 'up(["--adopt", bucket, "--yes"'],
  "up --adopt --region": ["test/engine/adopt.test.ts", "npm run up -- (--adopt .*)"],
  "up --admin-cidr --adopt --ssh-key": ["test/engine/adopt.test.ts", '"--ssh-key", sshKey, "--admin-cidr"'],
  deploy: ["test/machine/ci-deploy.test.ts", "readSteps("],
  "deploy --platform": ["test/machine/ci-deploy.test.ts", "npm run deploy -- --platform linux-x64"],
  "/opt/lifeboat/current/bin/wait-until-ready": ["test/machine/bootstrap.test.ts", '"restore", "--undo"'],
  "drill --seed --story": ["test/drill/mistake.test.ts", '"--story", "mistake", "--json", "--seed", "7"'],
  "drill --story": ["test/drill/mistake.test.ts", '"--story", "mistake"'],
  "restore --at": ["test/verbs/restore.test.ts", '"--at"'],
  "restore --at --to": ["test/verbs/restore.test.ts", '"--at", moment, "--to", file'],
  "restore --txid": ["test/verbs/restore.test.ts", '"--txid", String(txid), "--epoch"'],
  "restore --to --txid": ["test/verbs/restore.test.ts", '"--txid", String(txid), "--to", file'],
  "restore --undo": ["test/verbs/restore.test.ts", '"--undo"'],
  "lifeboat restore --at --yes": ["test/machine/container.test.ts", "--entrypoint lifeboat lifeboat (restore .*)"],
  "lifeboat restore --at": ["test/machine/bootstrap.test.ts", '"restore", "--at"'],
  "litestream restore -o": ["test/verbs/restore.test.ts", '["restore", "-o", alone, url]'],
  "lifeboat import": ["test/machine/bootstrap.test.ts", '"lifeboat", "import"'],
  "lifeboat import --schema": ["test/verbs/import.test.ts", '"--schema", "1", "--yes"'],
  "lifeboat import --dry-run --schema": ["test/verbs/import.test.ts", '"--schema", "1", "--dry-run"'],
  "lifeboat verify": ["test/machine/bootstrap.test.ts", '"lifeboat", "verify"'],
  "lifeboat restore --undo": ["test/machine/bootstrap.test.ts", '"restore", "--undo"'],
  "lifeboat calibrate": ["test/verbs/calibrate.test.ts", '["calibrate", "--round-time"'],
  status: ["test/slow/verbs.test.ts", '"scripts/lifeboat.ts", "status"'],
  "lifeboat status": ["test/machine/bootstrap.test.ts", '"lifeboat", "status"'],
  sql: ["test/slow/verbs.test.ts", '"scripts/lifeboat.ts", "sql"'],
  epochs: ["test/verbs/epochs.test.ts", '"scripts/epochs.ts"'],
  "lifeboat epochs": ["test/machine/bootstrap.test.ts", '"lifeboat", "epochs"'],
  "lifeboat sql": ["test/machine/bootstrap.test.ts", '"lifeboat", "sql"'],
  "lifeboat logs": ["test/machine/bootstrap.test.ts", '"lifeboat", "logs"'],
  rollback: ["test/scripts/deploy/verbs.test.ts", '"rollback"'],
  releases: ["test/scripts/deploy/verbs.test.ts", '"releases"'],
  verify: ["test/verify/verify-verb.test.ts", "the verb tells outcomes"],
  "verify --deep --limit": ["test/verify/verify-verb.test.ts", '"--deep", "--limit", "50m"'],
  down: ["test/engine/down.test.ts", 'run("down", "--yes")'],
  "down --delete-data": ["test/engine/down.test.ts", 'run("down", "--yes", "--delete-data"'],
  "pulumi login": ["test/engine/readme.test.ts", 'readBlock("npm run up")'],
  "pulumi stack init": ["test/engine/readme.test.ts", 'readBlock("npm run up")'],
  "pulumi config set": ["test/engine/readme.test.ts", 'readBlock("npm run up")'],
  "pulumi config get": ["test/engine/readme.test.ts", "pulumi config get apiTokens"],
  "pulumi config rm": ["test/engine/readme.test.ts", "pulumi config rm heartbeatUrl"],
  "pulumi stack output": ["test/engine/readme.test.ts", "pulumi stack output url"],
  "pulumi stack rm": ["test/engine/readme.test.ts", "pulumi stack rm"],
  "pulumi preview": ["test/engine/readme.test.ts", "pulumi preview"],
  "pulumi up": ["test/engine/adopt.test.ts", "pulumi up --yes"],
  "pulumi destroy": ["test/engine/readme.test.ts", "pulumi destroy"],
  "systemctl start lifeboat.target": ["test/machine/stop-services.test.ts", '"systemctl start lifeboat.target"'],
  "systemctl restart lifeboat.target": ["test/machine/bootstrap.test.ts", '"restart", "lifeboat.target"'],
  "systemctl restart lifeboat-bootstrap.service": [
    "test/machine/bootstrap.test.ts",
    '"restart", "lifeboat-bootstrap.service"',
  ],
  "systemctl stop lifeboat.target": ["test/machine/bring-up.test.ts", "systemctl stop lifeboat.target && umount /data"],
  mkdir: ["test/slow/another-product.test.ts", 'mkdirSync(join(directory, "app/service"))'],
  umount: ["test/machine/bring-up.test.ts", "systemctl stop lifeboat.target && umount /data"],
  dd: ["test/machine/network.test.ts", "/: (dd .*), then on the machine:"],
  "journalctl -u": ["test/machine/bootstrap.test.ts", "/see: (journalctl .*)\\)/"],
  "/opt/lifeboat/current/bin/grow-volume": ["test/machine/grow-ext4.test.ts", "/opt/lifeboat/current/bin/grow-volume"],
  "/opt/lifeboat/current/bin/limit-connections": ["test/machine/network.test.ts", "/to try again: (.*)$/"],
  "node app/boot.ts": ["test/printed/by-hand.test.ts", "readCode(/app\\/boot\\.ts$/)"],
  "node app/main.ts": ["test/printed/by-hand.test.ts", "readCode(/app\\/main\\.ts$/)"],
  "node scripts/up.ts": ["test/engine/readme.test.ts", 'exec node "scripts/$verb.ts"'],
  "node scripts/deploy.ts": ["test/engine/project/run-verb.ts", 'join("scripts", `${verb}.ts`)'],
  "node scripts/down.ts": ["test/engine/project/run-verb.ts", 'join("scripts", `${verb}.ts`)'],
  flock: ["test/printed/by-hand.test.ts", "readCode(/^flock/)"],
  "litestream replicate -config": ["test/printed/by-hand.test.ts", "readCode(/^flock/)"],
  "litestream restore -config -o -txid": ["test/printed/by-hand.test.ts", "readCode(/^litestream restore/)"],
  "litestream restore -integrity-check -o": ["test/infra/least-rights.test.ts", "renderRestoreCommand("],
  "curl --aws-sigv4 -fsS": ["test/infra/least-rights.test.ts", "renderRestoreCommand("],
  "curl -sS": ["test/service/first-request.test.ts", 'readBlock("curl -sS ")'],
  "curl --data-binary -H": ["test/service/attachments.test.ts", "/^curl --data-binary .*$/m"],
  "aws s3api list-objects-v2 --bucket --output --prefix --query": [
    "test/service/attachments.test.ts",
    "/^aws s3api .*\\nsqlite3 .*\\ncomm .*$/m",
  ],
  sqlite3: ["test/service/attachments.test.ts", "/^aws s3api .*\\nsqlite3 .*\\ncomm .*$/m"],
  "comm -23": ["test/service/attachments.test.ts", "/^aws s3api .*\\nsqlite3 .*\\ncomm .*$/m"],
  printf: ["test/printed/by-hand.test.ts", "readCode(/^printf/)"],
  "openssl rand -hex": ["test/engine/readme.test.ts", 'readBlock("npm run up")'],
  "openssl s_client -connect": ["test/boot/boot-tls.test.ts", "/`(openssl .*)`/"],
  "openssl x509 -dates -ext -issuer -noout": ["test/boot/boot-tls.test.ts", "/`(openssl .*)`/"],
  "aws iam create-policy --policy-document --policy-name": [
    "test/infra/least-rights.test.ts",
    "`(aws iam create-policy [^`]+)`",
  ],
};

/** What no test executes, and why. */
const unexecuted: Record<string, string> = {
  "test:next": "takes half an hour; for whoever moves the pin of Litestream",
  "bench --rows":
    "in the decisions, of rows that take minutes; test/slow/restarts.test.ts and test/replica/long-reader.test.ts run their parts",
  ssh: "no test has an SSH server; what it runs on the machine is a command of its own here",
  "curl -4s": "asks a service of the internet; test/engine/readme.test.ts runs its line with an answer of its own",
  "curl --aws-sigv4": "named in a decision, as what request-object calls",
  "apt install": "the advice of a computer without Python or nft, which a test cannot take away",
  "brew install": "macOS",
  "cloud-init status --long": "activate-release runs it, on a machine that did not tell its host keys",
  "docker build -t":
    "needs an engine; test/machine/container.test.ts carries out the Dockerfile, and runs the image, without one",
  "docker build --build-arg -t": "the same",
  "docker run --at --entrypoint --env-file --rm --volumes-from --yes": "the same",
  "docker run --name --restart --stop-timeout -d": "the same",
  "journalctl --lines --no-pager --unit": "activate-release runs it, on a machine that did not tell its host keys",
};

test("every command that is printed can be typed as it stands", () => {
  const printed = findPrintedCommands();
  expect(printed.length).toBeGreaterThan(60);
  const faults = printed.flatMap((command) => {
    const judged = judge(command);
    return judged !== null && "fault" in judged ? [`${command.at}: ${judged.fault}`] : [];
  });
  expect(faults).toEqual([]);
});

test("every command that is printed is executed by a test", () => {
  const keys = new Set(
    findPrintedCommands().flatMap((command) => {
      const judged = judge(command);
      return judged !== null && "key" in judged ? [judged.key] : [];
    }),
  );
  const missing = [...keys].filter((key) => {
    if (Object.hasOwn(unexecuted, key)) return false;
    const [file, text] = executed[key] ?? [];
    return file === undefined || text === undefined || !readFileSync(join(root, file), "utf8").includes(text);
  });
  expect(missing.toSorted()).toEqual([]);
  expect(Object.keys({ ...executed, ...unexecuted }).filter((key) => !keys.has(key))).toEqual([]);
});

test("every program that a document tells somebody to type is one whose commands are found", () => {
  const words = findFirstWords().filter(({ word }) => !isKnown(word) && isOnPath(word));
  expect(words).toEqual([]);
  expect(new Set(findFirstWords().map(({ word }) => word)).size).toBeGreaterThan(5);
});

test.each([
  ["`npm run up --dry-run`", "npm keeps --dry-run"],
  ["go on: npm run up -- --aprove-replacement", "no flag --aprove-replacement"],
  ["npm run up -- --location mars", "mars"],
  ["npm run drill -- --max-rto 3, and", "not a duration"],
  ["`npm run raise`", "no script raise"],
  ["npm run doubles -- up --dri-run", "no flag --dri-run"],
  ["pulumi config set volumeSize ${gigabytes} && npm run up", "no setting volumeSize"],
  ["pulumi config set --path 'admincidrs[0]' \"$(curl -4s ifconfig.me)/32\"", "no setting admincidrs"],
  ["`pulumi config get apiToken`", "no setting apiToken"],
  ["pulumi config rm lifeboat:bucketIdd, and", "no setting lifeboat:bucketIdd"],
  ["`LIFEBOAT_DELETE_MARKERS=200000 npm run test:slow -- test/slow/gone.test.ts`", "no test/slow/gone.test.ts"],
  ["`A=1 npm run test:slw -- test/slow/release.test.ts`", "no script test:slw"],
  ["pulumi stack output recoveryCard", "no output recoveryCard"],
  ["systemctl restart lifeboat-bootstap", "no unit lifeboat-bootstap.service"],
  ["`aws iam create-policy --policy-document file://docs/iam-polcy.json`", "no docs/iam-polcy.json"],
  ["`node app/bot.ts`", "no app/bot.ts"],
  ["to try again: /opt/lifeboat/current/bin/grow-volum", "no bin/grow-volum"],
  ['apiTokens "$(npm run mint)"', "no script mint"],
])("%s would be found out", (text, fault) => {
  const judged = readCommands("a text", text).map(judge);
  expect(JSON.stringify(judged)).toContain(fault);
});

test.each([
  ['exec /a/refuse "cause" "to go on: systemctl stop lifeboat.targt"', "no unit lifeboat.targt"],
  ['exec /a/refuse "cause" \\\n  "npm run upp"', "no script upp"],
  ['echo "lifeboat: no; npm run upp" >&2 && exit 1', "no script upp"],
  ['if ! x; then give_up "$1, then systemctl start bot.service"; fi', "no unit bot.service"],
])("a script that says %j would be found out, and what it runs is none of that", (line, fault) => {
  const script = `#!/bin/sh\nsystemctl stop nothing.service\n${line}\n`;
  expect(readCommands("a script", script).map(judge)).toEqual([{ fault: expect.stringContaining(fault) }]);
});

function isOnPath(word: string): boolean {
  return spawnSync("which", [word]).status === 0;
}

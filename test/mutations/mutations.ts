/** One deliberate error in a source file, and the one test file that must notice it. */
export type Mutation = Readonly<{
  /** What the mutated code does wrong. */
  name: string;
  file: string;
  /** Each text stands in the file exactly once. */
  edits: readonly (readonly [text: string, replacement: string])[];
  test: string;
  /** Runs only the tests whose names match, to save time. */
  claim?: string;
}>;

const replication = "app/replica/replication.ts";
const rounds = "app/replica/shared-rounds.ts";

export const mutations: readonly Mutation[] = [
  {
    name: "acknowledges before the sync is answered",
    file: replication,
    edits: [
      [
        "const txid = await this.#options.sync();",
        'void this.#options.sync().catch(() => "");\n    const txid = "0000000000000001";',
      ],
    ],
    test: "test/replica/replication.test.ts",
    claim: "a write is not acknowledged while",
  },
  {
    name: "lets a round serve those who came while it ran",
    file: rounds,
    edits: [
      [
        "for (const waiter of this.#group) waiter.resolve();",
        "for (const waiter of [...this.#group, ...this.#waiters]) waiter.resolve();",
      ],
    ],
    test: "test/replica/replication.test.ts",
    claim: "a second write during a slow sync",
  },
  {
    name: "forgets who comes when the loop has just looked for the last time",
    file: rounds,
    edits: [["this.#running = null;\n", "this.#running = null;\n      return;\n"]],
    test: "test/replica/shared-rounds.test.ts",
  },
  {
    name: "acknowledges without looking whose head is",
    file: replication,
    edits: [
      [
        "if (!this.#isOurs(head) && !this.#isBeingClaimed(head)) throw this.#becomeFenced(head.machine, head.epoch);",
        "",
      ],
      ["if (!this.#isOurs(head) || head.state", "if (head.state"],
    ],
    test: "test/replica/replication-fence.test.ts",
    claim: "after another machine has taken head over",
  },
  {
    name: "reads head before the sync and not after it",
    file: replication,
    edits: [
      [
        "const txid = await this.#options.sync();\n",
        "const early = await this.#watch.fetchNow(this.#options.bucket);\n    const txid = await this.#options.sync();\n",
      ],
      ["let { head, etag } = await this.#watch.fetchNow(bucket);", "let { head, etag } = early;"],
    ],
    test: "test/replica/replication-fence.test.ts",
    claim: "a take-over during the sync",
  },
  {
    name: "never polls head",
    file: replication,
    edits: [["void this.#pollHead();", ""]],
    test: "test/replica/replication-fence.test.ts",
    claim: "an idle machine",
  },
  {
    name: "does not notice that it stood still",
    file: "app/replica/head-watch.ts",
    edits: [["const stallMs = 1_000;", "const stallMs = 1_000_000;"]],
    test: "test/replica/replication-fence.test.ts",
    claim: "a machine that stood still",
  },
  {
    name: "makes the epoch living before its base is up",
    file: replication,
    edits: [
      [
        "this.#watch.start();",
        'this.#watch.start();\n    const { bucket } = this.#options;\n    void fetchHead(bucket).then(({ head, etag }) => swapHead(bucket, { ...head, state: "living" }, etag));',
      ],
    ],
    test: "test/replica/replication.test.ts",
    claim: "the epoch is made living only when",
  },
  {
    name: "takes a listing that does not count its keys for an empty one",
    file: "app/replica/lister.ts",
    edits: [["if (KeyCount === undefined)", "if (KeyCount === null)"]],
    test: "test/replica/bucket-faults.test.ts",
    claim: "200 with a web page",
  },
  {
    name: "believes that a bucket without the sentinel is the right one",
    file: "app/boot/survey.ts",
    edits: [["  await assertSentinel(bucket, machine, top);\n", ""]],
    test: "test/boot/boot-bucket.test.ts",
    claim: "the bucket of another stack",
  },
  {
    name: "repeats a conditional PUT by itself",
    file: "app/replica/bucket.ts",
    edits: [["maxAttempts: 1, onDate }", "maxAttempts: 3, onDate }"]],
    test: "test/replica/bucket-faults.test.ts",
    claim: "503 SlowDown: reads are tried",
  },
  {
    name: "leaves a stale WAL beside the restored database",
    file: "app/boot/quarantine.ts",
    edits: [['const sidecars = ["-wal", "-shm", "-journal"];', "const sidecars: readonly string[] = [];"]],
    test: "test/boot/boot-volume.test.ts",
    claim: "a WAL",
  },
  {
    name: "leaves SQLite's own autocheckpoint on",
    file: "app/database/open-database.ts",
    edits: [
      ['db.pragma("wal_autocheckpoint = 0");', 'db.pragma("wal_autocheckpoint = 1000");'],
      ["wal_autocheckpoint: 0,", "wal_autocheckpoint: 1000,"],
    ],
    test: "test/replica/completeness.test.ts",
    claim: "while the WAL fills up",
  },
  {
    name: "leaves what a dead history staged",
    file: "app/boot/install.ts",
    edits: [["rmSync(litestreamState, { recursive: true, force: true });", ""]],
    test: "test/boot/boot-volume.test.ts",
    claim: "files that a dead history staged",
  },
  {
    name: "resumes after a power loss",
    file: "app/boot/decide-boot.ts",
    edits: [["mark.bootId === facts.bootId", 'mark.bootId !== ""']],
    test: "test/boot/decide-boot.test.ts",
  },
  {
    name: "takes a claim for won that was refused",
    file: "app/replica/claim.ts",
    edits: [["if (etag !== null) return { head, etag };", 'return { head, etag: etag ?? "" };']],
    test: "test/boot/boot-claim.test.ts",
    claim: "of two machines that race",
  },
  {
    name: "verifies without comparing rows",
    file: "app/replica/rehearsal.ts",
    edits: [["snapshot === null ? null : findDifference(restored, snapshot.tables)", "null"]],
    test: "test/verify/verify.test.ts",
    claim: "a row that differs at the same commit",
  },
  {
    name: "verifies with the quick check only",
    file: "app/replica/rehearsal.ts",
    edits: [["fullCheck(restored);", "quickCheck(restored);"]],
    test: "test/verify/verify.test.ts",
    claim: "an index that does not agree",
  },
  {
    name: "takes a broken replica for one that nobody could judge",
    file: "app/verify/verification.ts",
    edits: [
      [
        'if (state === "broken") return { outcome: "fail",',
        'if (state === "broken") return { outcome: "inconclusive",',
      ],
    ],
    test: "test/verify/verify.test.ts",
    claim: "with flipped bytes",
  },
  {
    name: "holds a snapshot however big the WAL gets",
    file: "app/replica/snapshot-limit.ts",
    edits: [["bytes >= walBytes || ", ""]],
    test: "test/replica/snapshot-limit.test.ts",
  },
];

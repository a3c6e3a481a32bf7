import { connect } from "node:net";

import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { reportsProduct } from "../product/reports.ts";
import { startTestServer, type TestServer, token } from "./test-server.ts";

const runnerUrl = new URL("../product/report-runner.ts", import.meta.url);
const start = (reports: NonNullable<Parameters<typeof startTestServer>[1]>["reports"] = {}) =>
  startTestServer({}, { product: reportsProduct, runnerUrl, reports });

const problemOf = ({ status, body }: Awaited<ReturnType<TestServer["call"]>>) => [
  status,
  String(body["type"]).replace("urn:lifeboat:problem:", ""),
];

const untilRunning = (server: TestServer, name: string) =>
  waitFor(
    `the report ${name}`,
    async () => {
      const { reports } = (await server.call("GET", "/load")).body;
      return JSON.stringify(reports).includes(`"running":{"name":"${name}"`) ? true : null;
    },
    { timeoutMs: 30_000, everyMs: 20 },
  );

/** Asks for something slow, then for what is fast, and lists the answers in their order. */
async function listAnswers(server: TestServer, slowPath: string): Promise<string[]> {
  const answers: string[] = [];
  const note = async (name: string, asked: Promise<{ status: number }>) =>
    void answers.push(`${name} ${(await asked).status}`);
  const all = [note("slow", server.call("GET", slowPath))];
  for (let count = 0; count < 10; count += 1) {
    all.push(note("up", server.call("GET", "/up")));
    all.push(note("read", server.call("GET", "/pages?limit=1")));
    all.push(note("write", server.call("POST", "/pages", { body: { title: `during ${slowPath} ${count}` } })));
  }
  await Promise.all(all);
  return answers;
}

test("what is asked while a report runs is answered before it, and what is asked during an ordinary reading is not", async () => {
  await using server = await start();
  const beside = await listAnswers(server, "/sum?most=8000000");
  expect([beside.length, beside.at(-1)]).toEqual([31, "slow 200"]);
  expect(beside.filter((answer) => /^(up|read) 200$|^write 201$/.test(answer)).length).toBe(30);
  const before = await listAnswers(server, "/sum-here?most=3000000");
  expect(before.indexOf("slow 200")).toBeLessThan(10);
});

test("a report that never ends delays no request, however many come, and ends with its client", async () => {
  await using server = await start();
  const { port } = new URL(await server.server.listen({ host: "127.0.0.1", port: 0 }));
  const client = connect(Number(port), "127.0.0.1").on("error", () => undefined);
  client.write(`GET /endless HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  await untilRunning(server, "endless");
  for (let count = 0; count < 200; count += 1) {
    expect((await server.call("GET", "/up")).status).toBe(200);
    expect((await server.call("POST", "/pages", { body: { title: `page ${count}` } })).status).toBe(201);
  }
  await untilRunning(server, "endless");
  client.destroy();
  // The next one gets a process, and sees what was written beside the last.
  expect((await server.call("GET", "/count-pages")).body).toEqual({ pages: 200 });
});

test("a report is ended at its time limit, and its snapshot with it", async () => {
  await using server = await start({ runMs: 500 });
  const answer = await server.call("GET", "/endless");
  expect(problemOf(answer)).toEqual([503, "report-out-of-time"]);
  expect(answer.body["detail"]).toContain("after 0.5 s, the most that one may take");
  expect(answer.headers["retry-after"]).toBeUndefined();
  expect(server.log.join("")).toContain('"report":"endless"');
  expect((await server.call("GET", "/count-pages")).body).toEqual({ pages: 0 });
  expect((await server.call("GET", "/load")).body).toMatchObject({
    reports: {
      running: null,
      reports: [
        { name: "endless", ended: 1 },
        { name: "count-pages", done: 1 },
      ],
    },
  });
});

test.each(["hungry-sql", "hungry-script"])("a report that takes too much memory is ended: %s", async (name) => {
  await using server = await start({ memoryBytes: 256 * 1024 * 1024 });
  const answer = await server.call("GET", `/${name}`);
  expect(problemOf(answer)).toEqual([503, "report-out-of-memory"]);
  expect(answer.body["detail"]).toContain("more than 256 MiB");
  expect((await server.call("GET", "/count-pages")).status).toBe(200);
});

test("a report answers with what it found, with its own refusal, and is refused when that is too large", async () => {
  await using server = await start();
  expect((await server.call("GET", "/sum?most=4")).body).toEqual({ sum: 10 });
  const rejected = await server.call("GET", "/rejected");
  expect([...problemOf(rejected), rejected.body["detail"]]).toEqual([404, "not-found", "There is no such year."]);
  expect(problemOf(await server.call("GET", "/large"))).toEqual([503, "report-too-large"]);
  expect(problemOf(await server.call("GET", "/failing"))).toEqual([500, "internal-error"]);
  expect(server.log.join("")).toContain('report \\"failing\\" failed: no such column');
});

test("as many reports wait as may, one more is refused, and a stop ends them all", async () => {
  await using server = await start();
  const first = server.call("GET", "/endless");
  await untilRunning(server, "endless");
  const waiting = [server.call("GET", "/count-pages"), server.call("GET", "/count-pages")];
  const refused = await server.call("GET", "/count-pages");
  expect([...problemOf(refused), refused.headers["retry-after"]]).toEqual([503, "reports-queue-full", "10"]);
  await server.server.close();
  for (const answer of await Promise.all([first, ...waiting])) {
    expect(problemOf(answer)).toEqual([503, "stopping"]);
    // So that the proxy asks the next server.
    expect(answer.headers["lifeboat-not-begun"]).toBe("stopping");
  }
});

test("no report begins while the WAL waits to be reset", async () => {
  await using server = await start();
  const words = "x".repeat(15_000);
  const snapshot = await waitForBigWal(server, words);
  const answer = await server.call("GET", "/count-pages");
  expect([...problemOf(answer), answer.headers["retry-after"]]).toEqual([503, "reports-paused", "10"]);
  expect(snapshot).toBeGreaterThanOrEqual(64 * 1024 * 1024);
});

async function waitForBigWal(server: TestServer, words: string): Promise<number> {
  for (let count = 0; server.writer.walBytes < 64 * 1024 * 1024; count += 1) {
    const writes = Array.from({ length: 200 }, (_, one) =>
      server.writer.execute("add-page", { title: `${count}-${one}`, words }, { durability: "commit" }),
    );
    await Promise.all(writes);
  }
  return server.writer.walBytes;
}

test("a reading that is slow on the server's own thread is told, by its statement", async () => {
  await using server = await start();
  await server.call("GET", "/sum-here?most=5000000");
  const { slowReadings } = (await server.call("GET", "/load")).body;
  expect(slowReadings).toMatchObject([{ statement: expect.stringContaining("with recursive"), count: 1 }]);
  expect(server.log.join("")).toContain("make it a report");
  expect(server.log.join("")).toContain("a reading was slow");
});

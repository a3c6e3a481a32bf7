import { expect, test } from "vitest";

import { renderDevLine } from "../../../scripts/dev/follow-log.ts";

const time = new Date(2026, 10, 26, 9, 30).getTime();

test("an error shows its message, its cause and the frames in the app's sources, not those of libraries", () => {
  const cause = {
    message: "no such column: nmae",
    stack:
      "Error: no such column: nmae\n    at run (file:///kit/app/service/add-todo.ts:7:3)\n    at next (node:internal/x:1:1)",
  };
  const err = {
    message: "the command failed",
    stack: "Error: the command failed\n    at hooks (/kit/node_modules/fastify/lib/hooks.js:1:1)",
    cause,
  };
  const line = JSON.stringify({ level: 50, time, pid: 7, hostname: "h", reqId: "r1", err, msg: "request failed" });
  expect(renderDevLine(line).split("\n")).toEqual([
    "09:30:00 error request failed  reqId=r1",
    "  the command failed",
    "  no such column: nmae",
    "    at run (file:///kit/app/service/add-todo.ts:7:3)",
  ]);
});

test("the next step of a deployed machine's operator is not shown on a developer's computer", () => {
  const line = JSON.stringify({
    level: 50,
    time,
    cause: "renamed",
    next: "npm run up",
    msg: "the migrations are refused",
  });
  expect(renderDevLine(line)).toBe("09:30:00 error the migrations are refused  cause=renamed");
});

test("a line that is not the log's stays as it is", () => {
  expect(renderDevLine("SyntaxError: Unexpected token")).toBe("SyntaxError: Unexpected token");
});

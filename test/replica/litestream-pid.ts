import { request } from "node:http";

/** The pid that a running Litestream reports on its socket. */
export function litestreamPid(socketPath: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path: "/info" }, (answer) => {
      let text = "";
      answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
      answer.on("end", () => resolve(Number(/"pid":\s*(\d+)/.exec(text)?.[1])));
    });
    outgoing.on("error", reject).end();
  });
}

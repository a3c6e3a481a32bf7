import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIPv4 } from "node:net";

export type DnsDouble = AsyncDisposable &
  Readonly<{
    /** For LIFEBOAT_DNS_SERVERS. */
    server: string;
    /** The addresses of each name. A name that is not here does not exist; `null`: the server fails. */
    records: Map<string, readonly string[] | null>;
  }>;

const typeNumbers = { A: 1, AAAA: 28 };

/** A name server on loopback that answers for A and AAAA (RFC 1035, RFC 3596). */
export async function serveDns(): Promise<DnsDouble> {
  const records = new Map<string, readonly string[] | null>();
  const socket = createSocket("udp4");
  socket.on("message", (question, { port, address }) => socket.send(answer(question, records), port, address));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const close = async () => {
    socket.close();
    await once(socket, "close");
  };
  return { server: `127.0.0.1:${socket.address().port}`, records, [Symbol.asyncDispose]: close };
}

function answer(question: Buffer, records: DnsDouble["records"]): Buffer {
  const { name, type, end } = readQuestion(question);
  const known = records.get(name);
  const addresses = (known ?? []).filter((address) => typeNumbers[isIPv4(address) ? "A" : "AAAA"] === type);
  const code = known === null ? 2 : known === undefined ? 3 : 0;
  const head = Buffer.alloc(12);
  question.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(addresses.length, 6);
  return Buffer.concat([head, question.subarray(12, end), ...addresses.map((address) => renderAnswer(type, address))]);
}

function readQuestion(question: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = question.readUInt8(at); length > 0; length = question.readUInt8(at)) {
    labels.push(question.toString("latin1", at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join(".").toLowerCase(), type: question.readUInt16BE(at + 1), end: at + 5 };
}

function renderAnswer(type: number, address: string): Buffer {
  const value = isIPv4(address) ? Buffer.from(address.split(".").map(Number)) : renderIPv6(address);
  const head = Buffer.alloc(12);
  // The name of the question, by a pointer.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(60, 6);
  head.writeUInt16BE(value.length, 10);
  return Buffer.concat([head, value]);
}

function renderIPv6(address: string): Buffer {
  const [before = "", after = ""] = address.split("::");
  const groups = (text: string) => text.split(":").filter((group) => group !== "");
  const [left, right] = [groups(before), groups(after)];
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  const value = Buffer.alloc(16);
  for (const [index, group] of [...left, ...zeros, ...right].entries())
    value.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  return value;
}

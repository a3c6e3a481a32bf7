import { connect, createServer } from "node:net";

// argv: a port to listen on in this network namespace, and the socket that leads to the same port of another one.
const [port, path] = process.argv.slice(2);
createServer((near) => {
  const far = connect({ path: String(path) });
  near.pipe(far).pipe(near);
  near.on("error", () => far.destroy());
  far.on("error", () => near.destroy());
}).listen(Number(port), "127.0.0.1");

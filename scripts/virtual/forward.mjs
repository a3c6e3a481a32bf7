// forward.mjs PORT: one connection of a virtual machine's, on stdin and stdout, goes to this port of loopback.
import net from "node:net";

const socket = net.connect(Number(process.argv[2]), "127.0.0.1", () => {
  process.stdin.pipe(socket);
  socket.pipe(process.stdout);
});
socket.on("error", () => process.exit(1));
socket.on("close", () => process.exit(0));

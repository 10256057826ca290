import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createRelay } from "../../../cluster/node/relay.ts";

let folder: string;
let target: Server;
let relay: Server;
const accepted: Socket[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "relay-"));
  target = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket);
    socket.on("error", () => {}); // One test breaks the connection.
    socket.on("data", (chunk) => socket.write(`echo ${chunk}`));
    socket.on("end", () => socket.end("bye"));
  });
  target.listen(join(folder, "target"));
  relay = createRelay({ path: join(folder, "target") });
  relay.listen(join(folder, "relay"));
  await Promise.all([once(target, "listening"), once(relay, "listening")]);
});
afterEach(() => {
  for (const server of [target, relay]) server.close();
  rmSync(folder, { recursive: true });
});

test("bytes go both ways, and an end of one direction leaves the other open", async () => {
  const socket = connect({ path: join(folder, "relay"), allowHalfOpen: true });
  socket.end("hello");
  let text = "";
  for await (const chunk of socket) text += chunk;
  expect(text).toBe("echo hellobye");
});

test("a connection broken at the far end is broken at the near end", async () => {
  const socket = connect(join(folder, "relay"));
  socket.on("error", () => {}); // A reset is as good as a close here.
  socket.write("hello");
  await once(socket, "data");
  const closed = once(socket, "close");
  accepted.at(-1)?.destroy();
  await closed;
});

test("a target that is not there closes the connection", async () => {
  target.close();
  const socket = connect(join(folder, "relay"));
  socket.on("error", () => {});
  socket.resume();
  await once(socket, "close");
});

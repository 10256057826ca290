/** A registry that gives nothing: on the node's own loopback, from which containerd takes images without TLS. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { findNode } from "../../../cluster/node.ts";

const program = `
  const { createServer } = require("node:http");
  createServer((request, response) => {
    const isPrivate = request.url.startsWith("/v2/private/");
    const code = isPrivate ? "DENIED" : "MANIFEST_UNKNOWN";
    response.writeHead(isPrivate ? 403 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify({ errors: [{ code, message: "no" }] }));
  }).listen(5000, "127.0.0.1", () => console.log("listens"));
`;

/** Refuses images under private/, and has no other. @returns what ends it */
export async function startRegistry(nodeName: string): Promise<() => void> {
  const pid = findNode(nodeName)?.pid;
  const child = spawn("nsenter", ["--target", String(pid), "--net", process.execPath, "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close").then(() => {
    throw new Error("the registry ended before it listened");
  });
  await Promise.race([once(child.stdout, "data"), ended]);
  ended.catch(() => {}); // It is ended by us.
  return () => void child.kill();
}

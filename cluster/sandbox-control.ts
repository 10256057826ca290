/** A call of the sandbox's control API, through a port that kubectl forwards for as long as it takes. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { ClusterError } from "./errors.ts";

/**
 * Gives the answer piece by piece, as text: a result on lines of its own, or a stream of lines as it comes.
 * @param kubectl the program and the flags that name the cluster and the sandbox's namespace
 * @throws ClusterError NoSandbox, SandboxRefused with what the sandbox said
 */
export async function* callSandbox(
  kubectl: readonly string[],
  service: string,
  method: string,
  body: string,
): AsyncGenerator<string> {
  const [file = "", ...flags] = kubectl;
  const args = [...flags, "port-forward", "--address", "127.0.0.1", `service/${service}`, ":control"];
  const forward = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
  try {
    const url = `http://127.0.0.1:${await portOf(forward)}/control/${method}`;
    const response = await fetch(url, { method: "POST", body }).catch((cause: unknown): never => {
      throw new ClusterError("NoSandbox", "The sandbox did not answer: try again", { cause });
    });
    if (!response.ok || response.headers.get("content-type")?.includes("ndjson") !== true) {
      const { result, error } = (await response.json()) as { result?: unknown; error?: string }; // control/server.ts
      if (!response.ok) throw new ClusterError("SandboxRefused", `The sandbox refused: ${error}`);
      yield `${JSON.stringify(result ?? null, undefined, 2)}\n`;
      return;
    }
    const text = new TextDecoder();
    for await (const piece of response.body ?? []) yield text.decode(piece, { stream: true });
  } finally {
    forward.kill();
  }
}

async function portOf(forward: ChildProcessByStdio<null, Readable, Readable>): Promise<string> {
  let said = "";
  forward.stderr.on("data", (piece: Buffer) => {
    said += piece;
  });
  const port = Promise.withResolvers<string>();
  createInterface({ input: forward.stdout }).on("line", (line) => {
    const local = /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (local !== undefined) port.resolve(local);
  });
  const ended = once(forward, "close").then(() => {
    throw new ClusterError("NoSandbox", `The sandbox cannot be reached: ${said.trim()}`);
  });
  return Promise.race([port.promise, ended]);
}

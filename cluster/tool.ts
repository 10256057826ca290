import { spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { ClusterError } from "./errors.ts";

/**
 * Runs a command line tool to its end and gives what it wrote to standard output.
 * @throws ClusterError ToolMissing, or ToolFailed: a sentence, then the command and the end of what it said
 */
export async function runTool(command: readonly string[], input?: string, folder?: string): Promise<string> {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], cwd: folder });
  let output = "";
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk;
    said += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  child.stdin.on("error", () => {}); // It ended without reading to the end; its exit code says whether that is an error.
  child.stdin.end(input);
  const [code] = await once(child, "close").catch((error: NodeJS.ErrnoException): never => {
    throw new ClusterError("ToolMissing", `${file} cannot be run: ${error.message}`, { cause: error });
  });
  if (code !== 0) {
    const lines = said.trimEnd().split("\n").slice(-15);
    const sentence = `${basename(file)} ended with ${code}: ${lines.at(-1)}`;
    throw new ClusterError("ToolFailed", [sentence, [file, ...args].join(" "), ...lines].join("\n"));
  }
  return output;
}

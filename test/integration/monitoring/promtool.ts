/** Prometheus' own tool, which judges metrics and rules. */
import { join } from "node:path";
import { binaries } from "../../../cluster/binaries.ts";
import { runTool } from "../../../cluster/tool.ts";

/** Gives its standard output. Rejects with the end of all that it said when it complained. */
export type Promtool = (args: readonly string[], input?: string) => Promise<string>;

/** It is built once, which takes minutes on a busy machine. */
export const buildPatienceMs = 900_000;

export async function findPromtool(): Promise<Promtool> {
  const promtool = join(await binaries("prometheus", process.env, console.error), "promtool");
  return (args, input) => runTool([promtool, ...args], input);
}

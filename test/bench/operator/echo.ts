/** The least that answers an edit: a Go client (cluster/modules/echo) that writes a status of the usual size, and decides nothing. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binaries } from "../../../cluster/binaries.ts";
import { startBound } from "../../../cluster/bound-process.ts";
import { namespace } from "./ground.ts";

/** The workflows with this label are its own, and not the operator's. */
export const echoLabel = "echo";

export interface Echo {
  /** @throws Error when it ended by itself, with its last words */
  readonly end: () => Promise<void>;
}

/** Answers edits of workflows whose names begin with `echo-`. */
export async function startEcho(kubeconfig: string): Promise<Echo> {
  const program = join(await binaries("echo", process.env, console.error), "echo");
  const folder = mkdtempSync(join(tmpdir(), "bench-echo-"));
  const logPath = join(folder, "echo.log");
  const child = startBound("echo", [program, kubeconfig, namespace, "echo-"], logPath);
  return {
    end: async () => {
      const isAlive = child.running();
      await child.kill();
      const words = readFileSync(logPath, "utf8");
      rmSync(folder, { recursive: true, force: true });
      if (!isAlive) throw new Error(`the echo ended: ${words}`);
    },
  };
}

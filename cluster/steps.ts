/** Progress as a person at a terminal reads it: one line a step, with its seconds. */
import type { Report } from "./build.ts";

/** Runs one step after another and says how far it is. */
export type RunStep = <T>(title: string, action: (report: Report) => Promise<T>) => Promise<T>;

interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/**
 * Steps shown on `output`. A step is named when it ends, with its seconds; on a terminal also while it runs.
 * What it reports meanwhile gets lines of its own.
 */
export function stepsOn(output: Output): RunStep {
  const terminal = output.isTTY === true;
  const clear = terminal ? "\r\u001b[K" : "";
  return async (title, action) => {
    const started = performance.now();
    const running = terminal ? `  …   ${title}` : "";
    output.write(running);
    try {
      const result = await action((line) => output.write(`${clear}      ${line}\n${running}`));
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      output.write(`${clear}  ok  ${title} (${seconds} s)\n`);
      return result;
    } catch (error) {
      output.write(`${clear}FAILED ${title}\n`);
      throw error;
    }
  };
}

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { ControlError, type SandboxControl } from "../../src/sandbox/control/interface.ts";

const streams: readonly string[] = ["rows", "records", "allWrites", "allRowWrites"] satisfies (keyof SandboxControl)[];

/**
 * The control API of a sandbox in another process, by the same interface as in process.
 * @param url the control address: `http://127.0.0.1:8083`
 */
export function controlClient(url: string): SandboxControl {
  const call = async (method: string, input: unknown): Promise<Response> => {
    const response = await fetch(`${url}/control/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(input ?? {}),
    });
    if (response.ok) return response;
    throw new ControlError(`${method}: ${errorOf(await response.text())}`);
  };
  async function* stream(method: string, input: unknown): AsyncGenerator {
    const { body } = await call(method, input);
    if (body === null) return;
    for await (const line of createInterface({ input: Readable.fromWeb(body) })) yield JSON.parse(line);
  }
  // Every method is the same call with another name, so the client is made by name; the server checks the arguments.
  return new Proxy({} as SandboxControl, {
    get: (_target, method) => {
      // A promise that resolves with this client asks it for `then`.
      if (typeof method !== "string" || method === "then") return undefined;
      if (streams.includes(method)) return (input: unknown) => stream(method, input);
      return async (input: unknown) => {
        const { result } = (await (await call(method, input)).json()) as { result: unknown };
        return result ?? undefined;
      };
    },
  });
}

function errorOf(text: string): string {
  try {
    return (JSON.parse(text) as { error: string }).error;
  } catch {
    return text;
  }
}

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { callSandbox } from "../../../cluster/sandbox-control.ts";

/** A stand-in for kubectl says which port it forwards, and stays until it is ended. */
let folder: string;
let server: Server | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sandbox-control-"));
});
afterEach(() => {
  server?.close();
  rmSync(folder, { recursive: true });
});

function program(script: string): string {
  const path = join(folder, "kubectl");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

async function serving(listener: RequestListener): Promise<string> {
  const listening = createServer(listener);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  const port = typeof address === "object" ? address?.port : 0;
  return program(`echo "$@" > ${folder}/arguments; echo "Forwarding from 127.0.0.1:${port} -> 8083"; exec sleep 60`);
}

async function call(kubectl: string, body = '{"table":"contact"}'): Promise<string> {
  let text = "";
  for await (const piece of callSandbox([kubectl, "--namespace", "demo"], "sandbox", "rows", body)) text += piece;
  return text;
}

test("a result is shown on lines of its own, and the method has what it was given", async () => {
  const kubectl = await serving(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ result: { at: request.url, body } }));
  });
  expect(JSON.parse(await call(kubectl))).toEqual({ at: "/control/rows", body: '{"table":"contact"}' });
});

test("a stream is passed on as it is", async () => {
  const kubectl = await serving((_request, response) => {
    response.setHeader("content-type", "application/x-ndjson");
    response.write('{"id":1}\n');
    response.end('{"name":"Zoë"}\n');
  });
  expect(await call(kubectl)).toBe('{"id":1}\n{"name":"Zoë"}\n');
});

test("what the sandbox refuses is said in its words", async () => {
  const kubectl = await serving((_request, response) => {
    response.writeHead(400, { "content-type": "application/json" }).end('{"error":"there is no table \\"x\\""}');
  });
  await expect(call(kubectl)).rejects.toMatchObject({
    code: "SandboxRefused",
    message: 'The sandbox refused: there is no table "x"',
  });
});

test.each([
  ["cannot forward", "echo 'services \"sandbox\" not found' >&2; exit 1", 'reached: services "sandbox" not found'],
  ["forwards to nobody", 'echo "Forwarding from 127.0.0.1:1 -> 8083"; exec sleep 60', "did not answer"],
])("a kubectl that %s is no sandbox", async (_what, script, said) => {
  await expect(call(program(script))).rejects.toMatchObject({
    code: "NoSandbox",
    message: expect.stringContaining(said),
  });
});

/** Whoever is woken at night copies commands from the pages: each must be one that kubectl understands. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Ground } from "../operator/ground.ts";

let ground: Ground;
/** kubectl keeps a cache there. */
const home = mkdtempSync(join(tmpdir(), "integration-workflow-runbooks-"));

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  await ground.apply("contacts", { state: "Stopped" });
});
afterAll(async () => {
  await ground?.end();
  rmSync(home, { recursive: true });
});

const pages = readdirSync("docs/runbooks").filter((name) => name !== "README.md");

function commandsOf(page: string): string[] {
  const indented = readFileSync(`docs/runbooks/${page}`, "utf8").match(/^ {4,}kubectl .*$/gm) ?? [];
  return indented.map((line) => line.trim());
}

/** Of what is not there in this cluster, kubectl says that it is not there. */
const absent = /^(No resources found.*|Error from server \(NotFound\).*|no)$/;

function run(command: string): Promise<{ readonly code: number; readonly said: string }> {
  const filled = command
    .replaceAll("OPERATOR_NAMESPACE", ground.namespace)
    .replaceAll("NAMESPACE", (match, at: number) => (command[at - 1] === "." ? match : ground.namespace))
    .replaceAll(/\bNAME\b(?!:)/g, "contacts");
  const env = {
    PATH: `${dirname(inject("kubectl"))}:${process.env["PATH"]}`,
    KUBECONFIG: ground.kubeconfig,
    HOME: home,
  };
  return new Promise((resolve) =>
    execFile("sh", ["-c", filled], { env }, (error, _stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), said: stderr.trim() }),
    ),
  );
}

test.each(pages)("%s has commands, and kubectl understands them", async (page) => {
  const commands = commandsOf(page);
  expect(commands.length).toBeGreaterThan(0);
  for (const command of commands) {
    const { code, said } = await run(command);
    const lines = said.split("\n").filter((line) => line !== "" && !absent.test(line));
    expect(lines, command).toEqual([]);
    if (said === "" && !/\||can-i/.test(command)) expect(code, command).toBe(0);
  }
});

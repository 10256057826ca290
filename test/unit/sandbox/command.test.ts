import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { sandboxCommand } from "../../../src/sandbox/command.ts";
import { runSandbox } from "../../../src/sandbox/run.ts";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { type LogFields, type Logger, silentLogger } from "../../../src/telemetry/log.ts";

const folders: string[] = [];
const running: RunningSandbox[] = [];

afterEach(async () => {
  for (const sandbox of running.splice(0)) await sandbox.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function contactsFile(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sandbox-"));
  folders.push(folder);
  const file = join(folder, "contacts.csv");
  await writeFile(file, text);
  return file;
}

describe("the sandbox command", () => {
  it("can set every option by an environment variable", () => {
    for (const option of sandboxCommand(new AbortController().signal).options) {
      expect(option.envVar).toBe(`INTEGRATION_WORKFLOW_${option.long?.slice(2).toUpperCase().replaceAll("-", "_")}`);
    }
  });

  it("serves until it is asked to stop", async () => {
    const lines: { event: string; fields: LogFields | undefined }[] = [];
    const logger: Logger = { ...silentLogger, info: (event, fields) => lines.push({ event, fields }) };
    const stop = new AbortController();
    const done = runSandbox({ contacts: 7 }, logger, stop.signal);
    await expect.poll(() => lines[0]?.fields?.["contacts"]).toBe(7);
    stop.abort();
    await done;
    await expect(fetch(String(lines[0]?.fields?.["dataverse"]))).rejects.toThrow();
  });
});

describe("a contacts file", () => {
  it("is read by column names, with types, ids, and empty cells as null", async () => {
    const file = await contactsFile(
      "contactid,firstname,lastname,gendercode,donotemail\n5DB5B9ED-9138-4433-94A1-BD30EA8316EA,Zoë,,2,true\n,Ann,Li,,\n",
    );
    const sandbox = await startSandbox({ contacts: { file } }, silentLogger);
    running.push(sandbox);
    const id = "5db5b9ed-9138-4433-94a1-bd30ea8316ea";
    const row = await sandbox.control.row({ table: "contact", id });
    expect(row?.cells).toMatchObject({
      firstname: "Zoë",
      fullname: "Zoë",
      gendercode: 2,
      donotemail: true,
      statecode: 0,
    });
    expect(row?.cells).not.toHaveProperty("lastname");
    expect(await sandbox.control.countRows({ table: "contact" })).toBe(2);
  });

  it.each([
    [
      "a column that the table lacks",
      "firstname,shoesize\nA,3\n",
      'column "shoesize" is no plain column of the table "contact"',
    ],
    ["a value of another type", "firstname,gendercode\nA,male\n", "gendercode"],
  ])("with %s is refused, naming file and place", async (_, text, message) => {
    const file = await contactsFile(text);
    await expect(startSandbox({ contacts: { file } }, silentLogger)).rejects.toThrow(
      `contacts file ${file}, after 0 rows`,
    );
    await expect(startSandbox({ contacts: { file } }, silentLogger)).rejects.toThrow(message);
  });

  it("that is not there is refused", async () => {
    await expect(startSandbox({ contacts: { file: "/no/such/file.csv" } }, silentLogger)).rejects.toThrow(/ENOENT/);
  });
});

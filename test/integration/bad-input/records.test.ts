/** Questions about records that cannot be answered as they are asked, by the commands and by what stands behind them. */
import { request } from "node:http";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { type Program, run } from "./program.ts";
import { WorkerGround } from "./worker-ground.ts";

let sandbox: RunningSandbox;
let ground: WorkerGround;
let worker: Program;
let port: string;

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: 3 }, silentLogger);
  await sandbox.control.setColumn({ table: "contact", column: { name: "new_since", label: "Since", type: "String" } });
  for await (const { id } of sandbox.control.rows({ table: "contact" })) {
    await sandbox.control.updateRows({ table: "contact", rows: [{ id, cells: { new_since: "never" } }] });
    break;
  }
  ground = new WorkerGround(sandbox);
  ground.mapping.fields.push({ column: "new_since", field: "birthDate" });
  ground.flags = ["--address", ":0"]; // Every address of this machine.
  worker = ground.start();
  port = await vi.waitFor(() => {
    const started = worker.lines.find(({ message }) => message === "worker.started");
    return new URL(String(started?.["url"])).port;
  }, 20_000);
  await vi.waitFor(async () => expect((await http("GET", "/dead-letters")).body).toContain("Conversion"), 20_000);
});
afterAll(async () => {
  await ground?.end();
  await sandbox?.close();
});

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

function http(
  method: string,
  path: string,
  more: { readonly headers?: Record<string, string>; readonly body?: string; readonly host?: string } = {},
): Promise<Answer> {
  const { headers = {}, body, host = "127.0.0.1" } = more;
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, method, path, headers, agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.on("end", () => resolve({ status: answer.statusCode, body: text }));
    });
    sent.on("error", reject).end(body);
  });
}

const json = { "content-type": "application/json" };
const redrive = (body: string) => ["POST", "/dead-letters/redrive", { headers: json, body }] as const;
const long = "x".repeat(1001);

type Row = readonly [
  what: string,
  request: readonly [method: string, path: string, more?: { headers?: Record<string, string>; body?: string }],
  status: number,
  message: string,
];

const questions: readonly Row[] = [
  ["no key", ["GET", "/records"], 400, "no key is given: name a Dataverse id, or a value of the mapping's key field"],
  ["an empty key", ["GET", "/records?key="], 400, "no key is given"],
  ["an empty key of a mapping", ["GET", "/records/contact/"], 400, "no key is given"],
  ["two keys", ["GET", "/records?key=a&key=b"], 400, "no key is given"],
  ["a huge key", ["GET", `/records?key=${long}`], 400, "the key has 1001 characters: no key has more than 1000"],
  ["a huge key of a mapping", ["GET", `/records/contact/${long}`], 400, "the key has 1001 characters"],
  ["a broken escape", ["GET", "/records/contact/%zz"], 400, "a % that is part of a key is written %25, a slash %2F"],
  ["an unknown mapping", ["GET", "/records/lead/1"], 404, 'this workflow maps no table "lead": it maps contact'],
  ["an unknown mapping, asked", ["GET", "/records?key=1&mapping=lead"], 404, "it maps contact"],
  ["an unknown parameter", ["GET", "/records?id=1"], 400, 'there is no "id" here: there is key, mapping, look'],
  ["a look that is no yes or no", ["GET", "/records?key=1&look=maybe"], 400, 'look is true or false, not "maybe"'],
  ["a wrong method", ["POST", "/records?key=1", { headers: json }], 405, "/records takes GET only"],
  ["a wrong method of re-drive", ["GET", "/dead-letters/redrive"], 405, "/dead-letters/redrive takes POST only"],
  ["a limit of nothing", ["GET", "/dead-letters?limit=0"], 400, 'limit is a whole number from 1 to 1000, not "0"'],
  ["a place that none is", ["GET", "/dead-letters?before=x"], 400, "before is not a place"],
  ["a list of an unknown mapping", ["GET", "/dead-letters?mapping=lead"], 404, "it maps contact"],
  [
    "an unknown reason",
    ["GET", "/dead-letters?reason=Nonsense"],
    404,
    'no dead letter has the reason "Nonsense": the reasons there are: ConversionFailed',
  ],
  ["a re-drive of an unknown reason", redrive('{"reason":"Nonsense"}'), 404, "the reasons there are: ConversionFailed"],
  ["a re-drive of an unknown mapping", redrive('{"mapping":"lead"}'), 404, "it maps contact"],
  ["a re-drive of nothing named", redrive("{}"), 400, "say which: a key, a mapping, a reason"],
  ["a re-drive of all and of a reason", redrive('{"all":true,"reason":"Refused"}'), 400, "say which"],
  ["a re-drive of an empty key", redrive('{"key":" "}'), 400, "no key is given"],
  ["a re-drive of what is no text", redrive('{"reason":7}'), 400, "reason is a text"],
  ["a re-drive with a yes in words", redrive('{"all":"yes"}'), 400, 'all is true or false, not "yes"'],
  ["a re-drive with a misspelt name", redrive('{"maping":"contact"}'), 400, 'there is no "maping" here'],
  ["a re-drive of a list", redrive("[]"), 400, "send a JSON object"],
  ["a re-drive without a body", redrive(""), 400, "Body cannot be empty"],
  ["a re-drive that is no JSON", redrive("{all}"), 400, "not valid JSON"],
  ["a re-drive of 20 KB", redrive(`{"key":"${"x".repeat(20_000)}"}`), 413, "too large"],
];

test.each(questions)("%s is refused", async (_, [method, path, more], status, message) => {
  const answer = await http(method, path, more);
  expect(answer.status, answer.body).toBe(status);
  expect(JSON.parse(answer.body)).toEqual({ code: expect.any(String), message: expect.stringContaining(message) });
});

describe("whoever is not inside the pod is told nothing, and changes nothing", () => {
  const all = '{"all":true}';
  const inside = "single records are spoken of only inside the worker's pod";
  const strangers: readonly (readonly [what: string, headers: Record<string, string>, message: string])[] = [
    ["a page in a browser", { ...json, origin: "https://evil.example" }, inside],
    ["a page whose name was led here", { ...json, host: "evil.example:8080" }, inside],
    ["a proxy", { ...json, "x-forwarded-for": "10.0.0.7" }, inside],
    ["a form", { "content-type": "text/plain" }, "content-type: application/json"],
    ["a form that says no type", {}, "content-type: application/json"],
    ["a form that only begins like JSON", { "content-type": "application/jsonp" }, "content-type: application/json"],
  ];

  test.each(strangers)("%s", async (_, headers, message) => {
    const answer = await http("POST", "/dead-letters/redrive", { headers, body: all });
    expect(answer).toMatchObject({ status: 403, body: expect.stringContaining(message) });
    expect((await http("GET", "/dead-letters")).body).toContain("ConversionFailed");
  });

  const [outside] = Object.values(networkInterfaces())
    .flat()
    .filter((one) => one?.family === "IPv4" && !one.internal);

  test.runIf(outside)("another address of the machine, which the rest of the port still answers", async () => {
    const host = outside?.address ?? "";
    for (const path of ["/records?key=1", "/dead-letters"]) {
      expect(await http("GET", path, { host, headers: { host: "127.0.0.1" } })).toMatchObject({ status: 403 });
    }
    const answer = await http("POST", "/dead-letters/redrive", { host, headers: json, body: all });
    expect(answer).toMatchObject({ status: 403, body: expect.stringContaining(inside) });
    expect((await http("GET", "/livez", { host })).status).toBe(200);
  });
});

describe("the commands", () => {
  const place = () => ["--address", `127.0.0.1:${port}`];

  test.each<readonly [args: readonly string[], code: number, message: string]>([
    [["record"], 2, "error: missing required argument 'key'"],
    [["record", ""], 2, "error: command-argument value '' is invalid for argument 'key'. it is empty"],
    [["record", long], 2, "no key has more than 1000 characters"],
    [["record", "a", "b"], 2, "error: too many arguments for 'record'. Expected 1 argument but got 2: a, b."],
    [["record", "a", "--nonsense"], 2, "error: unknown option '--nonsense'"],
    [["record", "a", "--output", "xml"], 2, "Allowed choices are text, json."],
    [["record", "a", "--mapping", "lead"], 2, 'error: this workflow maps no table "lead": it maps contact'],
    [["record", "a", "--mapping", ""], 2, "it is empty"],
    [["record", "a/b c%2F"], 1, "contact → profile: NOT SEEN"],
    [["dead-letters", "--limit", "many"], 2, 'error: limit is a whole number from 1 to 1000, not "many"'],
    [["dead-letters", "--reason", "Nonsense"], 2, 'error: no dead letter has the reason "Nonsense"'],
    [["dead-letters", "nonsense"], 2, "error: too many arguments"],
  ])("%.60j", async (args, code, message) => {
    const ended = await run([...args, ...place()]);
    expect(ended).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test.each<readonly [args: readonly string[], message: string]>([
    [[], "error: say which: a key, --mapping, --reason, or --all"],
    [["--all", "--mapping", "contact"], "error: say which"],
    [["--mapping", "lead"], 'error: this workflow maps no table "lead"'],
    [["--reason", "Nonsense"], 'error: no dead letter has the reason "Nonsense"'],
    [[""], "it is empty"],
  ])("redrive %j", async (args, message) => {
    const ended = await run(["dead-letters", "redrive", ...place(), ...args]);
    expect(ended).toMatchObject({ code: 2, message: expect.stringContaining(message) });
  });

  test.each<readonly [address: string, code: number, message: string]>([
    ["127.0.0.1:1", 3, "error: no worker answers at http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1. Run this in"],
    ["8080", 2, '"8080" is not an address to listen on'],
    ["0", 2, "error: the worker listens nowhere (--address 0), so it cannot be asked"],
  ])("of a worker at %s", async (address, code, message) => {
    const ended = await run(["record", "a", "--address", address]);
    expect(ended).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test("say that what answers is no worker", async () => {
    const address = new URL(sandbox.dataverseUrl).host;
    const ended = await run(["record", "a", "--address", address]);
    expect(ended).toMatchObject({ code: 3, message: expect.stringContaining("is no worker of this version: HTTP 4") });
  });
});

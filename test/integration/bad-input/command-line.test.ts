/** What is wrong on the command line or in a variable is refused before anything is done: exit code 2, flag or variable named. */
import { describe, expect, test } from "vitest";
import { run } from "./program.ts";

const image = ["--worker-image", "registry.example/worker:1"];
const notAnAddress = (text: string): string =>
  `"${text}" is not an address to listen on: write :8080, 127.0.0.1:8080, [::1]:8080, or 0 for none`;
const levels = "Allowed choices are debug, info, warn, error.";

type Row = readonly [args: readonly string[], message: string];

const flags: readonly Row[] = [
  [["nonsense"], "error: unknown command 'nonsense'"],
  [["operator", ...image, "--nonsense"], "error: unknown option '--nonsense'"],
  [["worker", "--nonsense"], "error: unknown option '--nonsense'"],
  [["sandbox", "--nonsense"], "error: unknown option '--nonsense'"],
  [["operator", ...image, "extra"], "error: too many arguments for 'operator'. Expected 0 arguments but got 1: extra."],
  [
    ["operator", "--worker-image", ""],
    "error: option '--worker-image <image>' argument '' is invalid. name an image, such as registry.example/team/worker:1.0",
  ],
  [["operator"], "error: required option '--worker-image <image>' not specified"],
  ...refused("operator", "--watch-namespaces <names>", [
    ["Crm", '"Crm" does not fit: --watch-namespaces takes namespaces such as crm,marketing'],
    ["a,,b", '"" does not fit: --watch-namespaces takes namespaces such as crm,marketing'],
  ]),
  ...refused("operator", "--leader-elect [yes]", [["maybe", "Allowed choices are true, false."]]),
  ...refused("operator", "--allowed-worker-images <images>", [
    ["a b", '"a b" does not fit: --allowed-worker-images takes images such as registry.example/team/*'],
  ]),
  ...refused("operator", "--allowed-service-accounts <names>", [
    ["a b", '"a b" does not fit: --allowed-service-accounts takes names such as crm-worker'],
  ]),
  ...refused("operator", "--worker-poll <way>", [["often", "Allowed choices are direct, proxy, off."]]),
  ...refused("operator", "--metrics-address <address>", [["metrics", notAnAddress("metrics")]]),
  ...refused("operator", "--health-address <address>", [[":99999", notAnAddress(":99999")]]),
  ...refused("operator", "--concurrency <n>", [
    ["0", '"0" is not a whole number from 1 to 256'],
    ["many", '"many" is not a whole number from 1 to 256'],
  ]),
  ...refused("operator", "--log-level <level>", [["loud", levels]]),
  ...refused("worker", "--address <address>", [["8080", notAnAddress("8080")]]),
  ...refused("worker", "--call-timeout-seconds <n>", [["0", '"0" is not a number above 0']]),
  ...refused("worker", "--lease-seconds <n>", [["long", '"long" is not a number above 0']]),
  ...refused("worker", "--poll-seconds <n>", [["-1", '"-1" is not a number above 0']]),
  ...refused("worker", "--ready-seconds <n>", [["Infinity", '"Infinity" is not a number above 0']]),
  ...refused("worker", "--page-size <rows>", [["0", '"0" is not a number above 0']]),
  ...refused("worker", "--log-level <level>", [["loud", levels]]),
  ...refused("sandbox", "--dataverse-address <address>", [["here", notAnAddress("here")]]),
  ...refused("sandbox", "--campaign-address <address>", [["here", notAnAddress("here")]]),
  ...refused("sandbox", "--control-address <address>", [["here", notAnAddress("here")]]),
  ...refused("sandbox", "--sftp-address <address>", [["here", notAnAddress("here")]]),
  ...refused("sandbox", "--sftp-public-key <key>", [["secret", "write a public key such as ssh-ed25519 AAAA..."]]),
  ...refused("sandbox", "--opt-out-names <prefix>", [["greyList", "Allowed choices are denyList, blackList."]]),
  ...refused("sandbox", "--export-every-seconds <seconds>", [["often", '"often" is not a whole number']]),
  ...refused("sandbox", "--delivery-every-seconds <seconds>", [["-1", '"-1" is not a whole number']]),
  ...refused("sandbox", "--seed <number>", [["x", '"x" is not a whole number']]),
  ...refused("sandbox", "--token-lifetime <seconds>", [
    ["x", '"x" is not a whole number'],
    ["0", "a token that lives 0 seconds lets nobody in: give 1 or more"],
  ]),
  ...refused("sandbox", "--log-level <level>", [["loud", levels]]),
  [["sandbox", "--dataverse-address", "0"], "error: --dataverse-address cannot be 0: the sandbox needs both sides"],
  [["sandbox", "--campaign-address", "0"], "error: --campaign-address cannot be 0: the sandbox needs both sides"],
];

/** Rows for values that one flag of a role refuses. */
function refused(role: string, flag: string, values: readonly (readonly [string, string])[]): readonly Row[] {
  const [name = ""] = flag.split(" ");
  const needed = role === "operator" ? image : [];
  return values.map(([value, why]) => [
    [role, ...needed, name, value],
    `error: option '${flag}' argument '${value}' is invalid. ${why}`,
  ]);
}

test.concurrent.each(flags)("%j is refused", async (args, message) => {
  const ended = await run(args);
  expect(ended).toEqual({ code: 2, message, output: `${message}\n(--help shows what there is)\n` });
});

const variables: readonly (readonly [role: string, variable: string, value: string, flag: string, why: string])[] = [
  ["operator", "CONCURRENCY", "many", "--concurrency <n>", '"many" is not a whole number from 1 to 256'],
  ["operator", "LOG_LEVEL", "loud", "--log-level <level>", levels],
  ["operator", "LEADER_ELECT", "yes", "--leader-elect [yes]", "Allowed choices are true, false."],
  ["operator", "METRICS_ADDRESS", "here", "--metrics-address <address>", notAnAddress("here")],
  ["worker", "ADDRESS", "here", "--address <address>", notAnAddress("here")],
  ["worker", "POLL_SECONDS", "often", "--poll-seconds <n>", '"often" is not a number above 0'],
  ["sandbox", "SEED", "x", "--seed <number>", '"x" is not a whole number'],
];

test.concurrent.each(variables)("%s: the variable INTEGRATION_WORKFLOW_%s=%s is named", async (...row) => {
  const [role, name, value, flag, why] = row;
  const variable = `INTEGRATION_WORKFLOW_${name}`;
  const ended = await run([role, ...(role === "operator" ? image : [])], { [variable]: value });
  const message = `error: option '${flag}' value '${value}' from env '${variable}' is invalid. ${why}`;
  expect(ended).toMatchObject({ code: 2, message });
});

describe("without a role", () => {
  test("the roles are listed, and it is an error", async () => {
    const { code, output } = await run([]);
    expect(code).toBe(2);
    for (const role of ["operator", "worker", "sandbox"]) expect(output).toMatch(new RegExp(`^  ${role} `, "m"));
  });

  test("help that was asked for is none", async () => {
    expect((await run(["--help"])).code).toBe(0);
    expect((await run(["worker", "--help"])).code).toBe(0);
  });
});

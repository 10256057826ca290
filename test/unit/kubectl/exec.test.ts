import { expect, test } from "vitest";
import { judged } from "../../../src/kubectl/exec.ts";
import { exitCodes } from "../../../src/kubectl/exit.ts";

const pod = "contacts-1";
const terminated = (code: number) => `command terminated with exit code ${code}\n`;

test("the command's own end is told by its exit code; what kubectl says of itself is left out", () => {
  const chosen = 'Defaulted container "worker" out of: worker, proxy\n';
  expect(judged(0, "found\n", chosen, pod)).toEqual({ code: 0, out: "found\n", err: "" });
  expect(judged(1, "none\n", chosen + terminated(1), pod)).toEqual({ code: 1, out: "none\n", err: "" });
  const klog = "E1122 12:00:00.000000   123 websocket.go:297] Unknown stream id 1, discarding message\n";
  expect(judged(3, "", `${klog}error: the worker does not answer\n${terminated(3)}`, pod)).toEqual({
    code: 3,
    out: "",
    err: "error: the worker does not answer",
  });
});

/** As kubectl 1.36 says it. */
test.each([
  [
    'Error from server (Forbidden): pods "contacts-1" is forbidden: User "jo" cannot get resource "pods" in API group "" in the namespace "crm"\n',
    exitCodes.forbidden,
    /^pods "contacts-1" is forbidden: User "jo" cannot get resource "pods" in API group "" in the namespace "crm"\nAsk/,
  ],
  [
    'error: unable to upgrade connection: pods "contacts-1" is forbidden: User "jo" cannot create resource "pods/exec" in API group "" in the namespace "crm"\n',
    exitCodes.forbidden,
    /^pods "contacts-1" is forbidden: User "jo" cannot create resource "pods\/exec"/,
  ],
  [
    'Error from server (NotFound): pods "contacts-1" not found\n',
    exitCodes.failed,
    /^pods "contacts-1" not found: it ended just now, so ask again$/,
  ],
  [
    'error: Internal error occurred: error executing command in container: failed to exec in container: exec: "integration-workflow": executable file not found in $PATH\n',
    exitCodes.failed,
    /^the image of pod contacts-1 has no program to ask/,
  ],
  ["error: unable to upgrade connection: dial tcp: refused\n", exitCodes.failed, /^unable to upgrade connection/],
  ["", exitCodes.failed, /^kubectl failed$/],
])("what kubectl itself fails with is told without its noise: %s", (said, exitCode, message) => {
  expect(() => judged(1, "", said, pod)).toThrow(
    expect.objectContaining({ exitCode, message: expect.stringMatching(message) }),
  );
});

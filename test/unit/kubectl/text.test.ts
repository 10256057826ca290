import fc from "fast-check";
import { expect, test } from "vitest";
import { paragraph, table, tableWithin } from "../../../src/kubectl/table.ts";
import { age, plain } from "../../../src/kubectl/words.ts";
import { lastWords, type Pod, workerRow } from "../../../src/kubectl/workers.ts";

test("columns are as wide as what a person sees of them: colours take no room", () => {
  const red = "\u001b[31mFAILED\u001b[39m";
  expect(
    table(
      ["NAME", "STATE", "AGE"],
      [
        ["contacts", red, "3m"],
        ["ä", "RUNNING", "4h"],
      ],
    ),
  ).toBe(`NAME       STATE     AGE\ncontacts   ${red}    3m\nä          RUNNING   4h\n`);
});

test("what somebody else wrote cannot steer the terminal", () => {
  expect(plain("a\u001b[2Jb\rc\nd\u202ee")).toBe("a\ufffd[2Jb\ufffdc\ufffdd\ufffde");
});

test.each([
  ["2026-11-21T10:00:00Z", "0s"],
  ["2026-11-21T09:58:01Z", "119s"],
  ["2026-11-21T09:50:00Z", "10m"],
  ["2026-11-21T07:00:00Z", "3h"],
  ["2026-11-11T10:00:00Z", "10d"],
  ["2026-11-21T11:00:00Z", "0s"],
  ["never", "<unknown>"],
  [undefined, "<unknown>"],
])("the age of %s is %s", (time, words) => {
  expect(age(time, Date.parse("2026-11-21T10:00:00Z"))).toBe(words);
});

test("a table leaves out what is worth least until it fits, and all of it stays where nobody minds", () => {
  const head = ["NAME", "READ", "STATE"];
  const rows = [["contacts", "2,000,000", "RUNNING"]];
  const whole = "NAME       READ        STATE\ncontacts   2,000,000   RUNNING\n";
  expect(tableWithin(head, rows, undefined, ["READ"])).toBe(whole);
  expect(tableWithin(head, rows, 30, ["READ"])).toBe(whole);
  expect(tableWithin(head, rows, 29, ["READ"])).toBe("NAME       STATE\ncontacts   RUNNING\n");
  expect(tableWithin(head, rows, 5, ["READ"])).toBe("NAME       STATE\ncontacts   RUNNING\n");
});

test("a paragraph breaks at words, within the width, and loses none", () => {
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }),
      fc.integer({ min: 16, max: 90 }),
      (words, width) => {
        const lines = paragraph(words.join(" "), width, "  ").trimEnd().split("\n");
        expect(lines.flatMap((line) => line.trim().split(" "))).toEqual(words);
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
      },
    ),
  );
  expect(paragraph("all of it", undefined)).toBe("all of it\n");
});

const NOW = Date.parse("2026-11-22T03:00:00Z");
const pod = (status: object, more: object = {}) =>
  ({ metadata: { name: "contacts-1", namespace: "crm", ...more }, spec: { nodeName: "node-7" }, status }) as Pod;
const worker = (status: object) => ({
  containerStatuses: [
    { name: "proxy", ready: true },
    { name: "worker", restartCount: 4, ...status },
  ],
});
const ended = (message: string, exitCode = 78) => ({
  lastState: { terminated: { exitCode, reason: "Error", message, finishedAt: "2026-11-22T02:59:00Z" } },
});

test.each<[string, Pod, readonly string[]]>([
  ["ready", pod(worker({ ready: true })), ["contacts-1", "ready", "4", "node-7", "-"]],
  [
    "last words as the contract has them",
    pod(
      worker({
        state: { waiting: { reason: "CrashLoopBackOff" } },
        ...ended('{"reason":"StoreTooNew","message":"run it again","backlog":3}'),
      }),
    ),
    ["contacts-1", "CrashLoopBackOff", "4", "node-7", "60s ago, exit code 78: StoreTooNew: run it again"],
  ],
  [
    "whatever else a program left",
    pod(worker({ ...ended("one\nfatal: \u001b[2Jno room", 1) })),
    ["contacts-1", "Unknown", "4", "node-7", "60s ago, exit code 1: fatal: \ufffd[2Jno room"],
  ],
  [
    "ending",
    pod(worker({ ready: true }), { deletionTimestamp: "2026-11-22T02:59:50Z" }),
    ["contacts-1", "ending", "4", "node-7", "-"],
  ],
  [
    "no container yet",
    { ...pod({ phase: "Pending" }), spec: {} } as Pod,
    ["contacts-1", "Pending", "0", "(no node)", "-"],
  ],
])("a worker that is %s", (_, seen, row) => {
  expect([...workerRow(seen), lastWords(seen, NOW) ?? "-"]).toEqual(row);
});

/** docs/failures.md, from the expectations that the tests hold the operator to, and from what they measured. */
import { onceMended } from "../src/steering/outlook.ts";
import type { Expectation } from "../test/failures/expectation.ts";
import { type Measured, readMeasured } from "../test/failures/measured.ts";
import { onNode } from "../test/failures/on-node.ts";
import { played } from "../test/failures/played.ts";

type Row = Expectation & {
  readonly name: string;
  readonly ground: "real node" | "played";
  readonly measured: Measured;
};

const introduction = `# Failures, and how each is told

What \`status\` says of each way to fail that Kubernetes has. Every row is a test, which makes the failure and holds the operator to
the state, the reason and the message; the messages below were told in such a test.

- **real node**: kubelet, scheduler and containerd of one real node, all failures beside each other.
  [How](../test/e2e/workflows/failure-stages.ts).
- **played**: a real API server with its controllers, where the kubelet is played.
  [How](../test/integration/operator/failures.test.ts).

When it shows: **at once** is with the news of it: as soon as Kubernetes says so. A crash loop is one when the kubelet first waits
before it starts the container again, and so is an image that does not come. **After 60 s** and **after 5 minutes** count from the last moment at which all was well: the run's
start, or its last ready worker. What is given up after 5 minutes is told meanwhile, in the message of \`Ready\`. *Measured* is from the
cause (the \`kubectl apply\`, or what is done to it later) until somebody who watches sees the words: with thirty such workflows
started in one moment on one node of a busy machine.

Where the reason stands: \`status.failure\` while FAILED, and the condition \`Ready\` always. What helps against each reason is also in
[troubleshoot](how-to/troubleshoot.md).
`;

const chapters: readonly (readonly [title: string, names: readonly (keyof typeof onNode | keyof typeof played)[]])[] = [
  [
    "The image",
    [
      "image-name",
      "image-absent",
      "image-refused",
      "image-unreachable",
      "image-never",
      "other-architecture",
      "no-program",
      "image-not-permitted",
    ],
  ],
  [
    "What the pod needs",
    [
      "secret-missing",
      "secret-key-missing",
      "ca-missing",
      "env-secret-missing",
      "env-key-missing",
      "service-account-missing",
      "priority-class-missing",
      "account-not-permitted",
    ],
  ],
  ["What the cluster does not permit", ["quota", "claim-refused", "limit-range", "pod-security", "deployment-refused"]],
  [
    "A place for the pod, and its volume",
    ["no-room", "no-such-node", "tainted", "no-storage-class", "no-provisioner", "other-zone", "volume-not-mounted"],
  ],
  [
    "The worker",
    ["out-of-memory", "crash-loop", "last-words", "no-last-words", "not-live", "never-live", "never-ready"],
  ],
  ["The node", ["pod-evicted", "node-lost", "pod-not-ending"]],
  ["The workflow's objects", ["name-conflict", "revision-lost", "queue-not-empty"]],
];

/** @throws Error for a failure that is in no chapter, or that no test has measured */
export function failuresPage(): string {
  const rows = new Map(allRows().map((row) => [row.name, row]));
  const sections = chapters.map(([title, names]) => {
    const here = names.map((name) => {
      const row = rows.get(name);
      if (row === undefined) throw new Error(`${name} is in two chapters`);
      rows.delete(name);
      return row;
    });
    return [`## ${title}`, table(here), ...here.map(section)].join("\n\n");
  });
  if (rows.size > 0) throw new Error(`in no chapter: ${[...rows.keys()].join(", ")}`);
  return `${[introduction.trimEnd(), ...sections].join("\n\n")}\n`;
}

function allRows(): readonly Row[] {
  const measured = readMeasured();
  const of = (expectations: Readonly<Record<string, Expectation>>, ground: Row["ground"]): Row[] =>
    Object.entries(expectations).map(([name, expectation]) => {
      const seen = measured[name];
      if (seen === undefined) throw new Error(`${name} was not measured: run its test with FAILURES_MEASURE=1`);
      return { ...expectation, name, ground, measured: seen };
    });
  return [...of(onNode, "real node"), ...of(played, "played")];
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ cause, state, reason, shows, measured, ground }) =>
      `| [${cause}](#${anchor(cause)}) | ${state} | \`${reason}\` | ${shows} | ${seconds(measured)} | ${ground} |`,
  );
  return [
    "| what went wrong | state | reason | shows | measured | proven on |",
    "|---|---|---|---|---|---|",
    ...lines,
  ].join("\n");
}

function seconds({ seconds: count }: Measured): string {
  return count === 0 ? "under 1 s" : `${count} s`;
}

function section({ cause, staged, measured, toDo, state, reason }: Row): string {
  const after = state === "FAILED" ? ` ${onceMended(reason)}.` : "";
  return [`### ${cause}`, `${staged}.`, `> ${cell(measured.message)}`, `${toDo}${after}`].join("\n\n");
}

/** As Markdown shows it word by word. */
function cell(text: string): string {
  return text.replaceAll(/[\\`*_<>[\]]/g, "\\$&");
}

/** As GitHub names the place of a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

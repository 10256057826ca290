/** Each command as somebody who lacks exactly one of the rights that it needs: the message names that right. */
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { exitCodes } from "../../../src/kubectl/exit.ts";
import { Ground, patience } from "../operator/ground.ts";
import { kubeconfigAs, Plugin } from "./plugin.ts";

let ground: Ground;

const crd = "integrationworkflow.io";
/** `verb resource`, with the resource's group where it is not the core one. */
type Right = `${string} ${string}`;

const workflow = (verb: string): Right => `${verb} integrationworkflows.${crd}`;
const asking: readonly Right[] = [workflow("get"), "list pods", "get pods", "create pods/exec"];

const needs: readonly (readonly [command: readonly string[], rights: readonly Right[]])[] = [
  [["list"], [workflow("list")]],
  [
    ["list", "-w"],
    [workflow("list"), workflow("watch")],
  ],
  [["status", "held"], [workflow("get")]],
  [
    ["start", "held"],
    [workflow("get"), workflow("patch")],
  ],
  [
    ["start", "slow", "--wait"],
    [workflow("get"), workflow("patch"), workflow("list"), workflow("watch")],
  ],
  [
    ["stop", "held"],
    [workflow("get"), workflow("patch")],
  ],
  [
    ["restart", "held"],
    [workflow("get"), workflow("patch")],
  ],
  [["diff", "held"], [workflow("get")]],
  [
    ["history", "held"],
    [workflow("get"), "get deployments.apps"],
  ],
  [
    ["rollback", "held", "--to", "1"],
    [workflow("get"), "get deployments.apps", "get configmaps", workflow("patch")],
  ],
  [
    ["replay", "held", "contact"],
    [workflow("get"), workflow("patch")],
  ],
  [
    ["replay", "held", "contact", "--restart"],
    [workflow("get"), workflow("patch")],
  ],
  [
    ["publish", "held", "--", "false"],
    [workflow("get"), workflow("patch"), workflow("list"), workflow("watch")],
  ],
  [
    ["logs", "held"],
    [workflow("get"), "list pods", "get pods/log"],
  ],
  [["why", "held", "key"], asking],
  [["dead", "list", "held"], asking],
  [["dead", "show", "held", "key"], asking],
  [["dead", "redrive", "held", "--all"], asking],
];

const cases = needs.flatMap(([command, rights]) =>
  rights.map((missing) => ({ command, missing, granted: rights.filter((right) => right !== missing) })),
);
const personOf = (index: number): string => `lacks-one-${index}`;

function ruleOf(right: Right): object {
  const [verb = "", name = ""] = right.split(" ");
  const [resource = "", ...group] = name.split(".");
  return { apiGroups: [group.join(".")], resources: [resource], verbs: [verb] };
}

/** Whether the API server knows already that somebody may. */
async function may(user: string, right: Right): Promise<boolean> {
  const [verb, name = ""] = right.split(" ");
  const [path = "", ...group] = name.split(".");
  const [resource, subresource] = path.split("/");
  const { namespace } = ground;
  const resourceAttributes = { namespace, verb, group: group.join("."), resource, ...(subresource && { subresource }) };
  const { body } = await ground.server.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
    spec: { user, resourceAttributes },
  });
  return (body as unknown as { status: { allowed: boolean } }).status.allowed;
}

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  await ground.operator();
});
afterAll(() => ground?.end());

test("a workflow runs, and as many people as there are cases each lack one right", async () => {
  await ground.apply("held", { state: "Running" });
  await ground.until("held", { state: "RUNNING" });
  await ground.patch("held", { dynamics: { share: 50 } });
  ground.kubelet.behaviour.start = "slow";
  await ground.apply("slow", { state: "Running" });
  const { namespace } = ground;
  const group = "rbac.authorization.k8s.io";
  const people = [...cases, { granted: [workflow("get")] }];
  await ground.server.kubectl(["apply", "-f", "-"], {
    apiVersion: "v1",
    kind: "List",
    items: people.flatMap(({ granted }, index) => {
      const metadata = { name: personOf(index), namespace };
      return [
        { apiVersion: `${group}/v1`, kind: "Role", metadata, rules: granted.map(ruleOf) },
        {
          apiVersion: `${group}/v1`,
          kind: "RoleBinding",
          metadata,
          roleRef: { apiGroup: group, kind: "Role", name: metadata.name },
          subjects: [{ apiGroup: group, kind: "User", name: metadata.name }],
        },
      ];
    }),
  });
  await expect
    .poll(async () => {
      const asked = people.flatMap(({ granted }, index) => granted.map((right) => may(personOf(index), right)));
      return (await Promise.all(asked)).every(Boolean);
    }, patience)
    .toBe(true);
});

function pluginOf(person: string): Plugin {
  return new Plugin(kubeconfigAs(ground.kubeconfig, person), ground.namespace, { KUBECTL: inject("kubectl") });
}

test.concurrent.each(cases.map((one, index) => ({ ...one, index, words: one.command.join(" ") })))(
  "$words without the right to $missing says so",
  async ({ command, missing, index }) => {
    const { code, err, out } = await pluginOf(personOf(index)).run(...command);
    const [verb, name = ""] = missing.split(" ");
    const [resource, ...group] = name.split(".");
    expect(err).toContain(
      `cannot ${verb} resource "${resource}" in API group "${group.join(".")}" in the namespace "${ground.namespace}"`,
    );
    expect(err).toContain("Ask whoever administers the cluster for this right");
    expect(err).not.toMatch(/Error from server|please report|command terminated/);
    expect(code, out + err).toBe(exitCodes.forbidden);
  },
);

test("nothing was changed by any of it", async () => {
  const { spec, metadata } = await ground.workflow("held");
  expect(spec.state).toBe("Running");
  expect(spec.restart).toBeUndefined();
  expect(metadata.generation).toBe(2);
});

test("status shows all that may be seen, and says what may not", async () => {
  const { code, out } = await pluginOf(personOf(cases.length)).run("status", "held");
  expect(code).toBe(exitCodes.done);
  expect(out).toContain("1 of 1 workers ready");
  expect(out).toContain("(you may not list events in this namespace)");
  expect(out).toContain("(you may not list pods in this namespace)");
});

import { expect, test } from "vitest";
import { beginAnewIfReplaced } from "../../../cluster/sandbox-world.ts";

const sandbox = "http://integration-workflow-sandbox.demo.svc:8081";
const workflow = (name: string, url: string, mappings: number) => ({
  metadata: { name, namespace: "crm" },
  spec: { dynamics: { url }, ingress: { mappings: Array(mappings).fill({ table: "contact" }) } },
});

/** What kubectl would answer, and the changes that it was asked for. */
function cluster(container: string, annotations: Record<string, string>) {
  const changes: (readonly string[])[] = [];
  const items = [workflow("contacts", sandbox, 2), workflow("real", "https://contoso.crm.dynamics.com", 1)];
  const kubectl = async (...args: readonly string[]): Promise<string> => {
    const [verb, what] = args;
    if (verb !== "get") changes.push(args);
    if (verb === "annotate") Object.assign(annotations, Object.fromEntries([String(args.at(-1)).split("=")]));
    if (verb !== "get") return "";
    if (what === "pods") return container;
    return JSON.stringify(what === "namespace" ? { metadata: { annotations } } : { items });
  };
  return { kubectl, changes };
}

test("a sandbox that is another than the last time makes its own workflows write everything anew, once", async () => {
  const annotations: Record<string, string> = {};
  const reports: string[] = [];
  const look = async (container: string) => {
    const { kubectl, changes } = cluster(container, annotations);
    await beginAnewIfReplaced(kubectl, "demo", (line) => reports.push(line));
    return changes;
  };
  expect((await look("containerd://1111")).map(([verb]) => verb)).toEqual(["annotate"]);
  expect(await look("containerd://1111")).toEqual([]);
  expect(reports).toEqual([]);

  const [patch = [], annotated = [], ...more] = await look("containerd://2222");
  expect(patch.slice(0, 5)).toEqual(["patch", "integrationworkflow", "contacts", "--namespace", "crm"]);
  const value = "sandbox inerd://2222";
  expect(JSON.parse(patch.at(-1) ?? "")).toEqual([
    { op: "add", path: "/spec/ingress/mappings/0/replay", value },
    { op: "add", path: "/spec/ingress/mappings/1/replay", value },
    { op: "add", path: "/spec/restart", value },
  ]);
  // Last, so that a start which is broken off asks again.
  expect([annotated[0], more]).toEqual(["annotate", []]);
  expect(reports).toEqual(["crm/contacts writes everything anew: the sandbox was replaced, and its records with it"]);
  expect(await look("containerd://2222")).toEqual([]);
});

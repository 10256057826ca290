import { expect, test } from "vitest";
import { applyInThisWorld } from "../../../cluster/sandbox-world.ts";

/** A cluster's answers to kubectl, and the changes that it was asked for. */
function cluster() {
  const annotations: Record<string, string> = {};
  let changes: string[] = [];
  const look = async (container: string, broken = ""): Promise<{ anew: boolean; changes: readonly string[] }> => {
    changes = [];
    const kubectl = async (...args: readonly string[]): Promise<string> => {
      const [verb = "", what] = args;
      if (what === "pods") return container;
      if (verb === "get") return JSON.stringify({ metadata: { annotations } });
      if (verb === broken) throw new Error("broken off");
      changes.push(`${verb} ${args.at(-1)}`);
      if (verb === "annotate") Object.assign(annotations, Object.fromEntries([String(args.at(-1)).split("=")]));
      return "";
    };
    return { anew: await applyInThisWorld(kubectl, "demo", "folder"), changes };
  };
  return { look, changes: () => changes };
}

const remembered = (container: string) => `annotate integrationworkflow.io/sandbox-container=${container}`;

test("workflows that met another sandbox are deleted before they are made, once", async () => {
  const { look } = cluster();
  expect(await look("one")).toEqual({ anew: false, changes: ["apply folder", remembered("one")] });
  expect(await look("one")).toEqual({ anew: false, changes: ["apply folder"] });
  expect(await look("two")).toEqual({
    anew: true,
    changes: ["delete folder/3-workflows.yaml", "apply folder", remembered("two")],
  });
  expect(await look("two")).toEqual({ anew: false, changes: ["apply folder"] });
});

test("the sandbox is remembered last: a start that is broken off deletes again", async () => {
  const { look, changes } = cluster();
  await look("one");
  await expect(look("two", "apply")).rejects.toThrow("broken off");
  expect(changes()).toEqual(["delete folder/3-workflows.yaml"]);
  expect((await look("two")).anew).toBe(true);
});

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type BinarySet, binariesOf, modulePath, recipeHash, recipes } from "../../../cluster/recipe.ts";

const sets: readonly BinarySet[] = [
  "control-plane",
  "node",
  "fake-nodes",
  "tools",
  "kind",
  "kstatus",
  "prometheus",
  "policies",
];

describe.each(sets)("the recipe of %s", (set) => {
  test("builds only packages that its module's go.mod pins", () => {
    for (const { module, packages } of recipes[set]) {
      const pinned = readFileSync(join(modulePath(module), "go.mod"), "utf8");
      for (const name of Object.values(packages)) {
        expect(pinned).toMatch(new RegExp(`^(module ${name}|tool ${name}|\\s+${name})$`, "m"));
      }
    }
  });

  test("names each binary once, as go build names it when it builds several", () => {
    expect(new Set(binariesOf(set)).size).toBe(binariesOf(set).length);
    for (const { packages } of recipes[set]) {
      const names = Object.entries(packages);
      if (names.length > 1) for (const [name, path] of names) expect(path.split("/").at(-1)).toBe(name);
    }
  });

  test("states the versions that go.mod pins", () => {
    for (const { module, linkerFlags } of recipes[set]) {
      const stated = /(?:gitVersion|internal\/version\.version)=(v[\d.]+)/.exec((linkerFlags ?? []).join(" "))?.[1];
      if (stated === undefined) continue;
      const root = module === "helm" ? "helm.sh/helm/v4" : "k8s.io/kubernetes";
      expect(readFileSync(join(modulePath(module), "go.mod"), "utf8")).toContain(`${root} ${stated}`);
    }
  });

  test("has a hash of its own that does not change by itself", () => {
    expect(recipeHash(set)).toMatch(/^[0-9a-f]{12}$/);
    expect(recipeHash(set)).toBe(recipeHash(set));
    expect(sets.filter((other) => recipeHash(other) === recipeHash(set))).toEqual([set]);
  });
});

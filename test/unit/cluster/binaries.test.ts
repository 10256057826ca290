import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { binaries, cacheFolder, controlPlaneBinaries } from "../../../cluster/binaries.ts";

describe("the cache folder", () => {
  test.each([
    [{ INTEGRATION_WORKFLOW_CACHE: "/own", XDG_CACHE_HOME: "/xdg" }, "/own"],
    [{ INTEGRATION_WORKFLOW_CACHE: "", XDG_CACHE_HOME: "/xdg" }, "/xdg/integration-workflow"],
    [{}, join(homedir(), ".cache/integration-workflow")],
  ])("by %j is %s", (environment, folder) => {
    expect(cacheFolder(environment)).toBe(folder);
  });
});

test("KUBEBUILDER_ASSETS is taken as it is", async () => {
  expect(await controlPlaneBinaries({ KUBEBUILDER_ASSETS: "/assets" }, () => {})).toBe("/assets");
});

/** A stand-in for Go that writes a line for each call and a small file for each binary: building is tested elsewhere. */
describe("binaries that are built", () => {
  let folder: string;
  let environment: NodeJS.ProcessEnv;
  const calls = (): string[] => readdirSync(join(folder, "calls"));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "binaries-"));
    mkdirSync(join(folder, "calls"));
    const program = `#!/bin/sh
mktemp ${folder}/calls/XXXXXX >/dev/null
while [ "$1" != -o ]; do shift; done
echo binary > "$2"
`;
    writeFileSync(join(folder, "go"), program);
    chmodSync(join(folder, "go"), 0o755);
    const path = `${folder}${delimiter}${process.env["PATH"]}`;
    environment = { ...process.env, PATH: path, INTEGRATION_WORKFLOW_CACHE: join(folder, "cache") };
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("are built once", async () => {
    const first = await binaries("kind", environment, () => {});
    expect(await binaries("kind", environment, () => {})).toBe(first);
    expect(calls()).toHaveLength(1);
  });

  test("are built once when two ask at the same time", async () => {
    const [one, two] = await Promise.all([
      binaries("kind", environment, () => {}),
      binaries("kind", environment, () => {}),
    ]);
    expect(one).toBe(two);
    expect(calls()).toHaveLength(1);
  });

  test.each([
    ["cut short", (built: string) => truncateSync(join(built, "kind"), 1)],
    ["deleted", (built: string) => rmSync(join(built, "kind"))],
    ["without a manifest", (built: string) => rmSync(join(built, "manifest.json"))],
    ["with a broken manifest", (built: string) => writeFileSync(join(built, "manifest.json"), "{")],
  ])("are built again when they are %s", async (_how, damage) => {
    const built = await binaries("kind", environment, () => {});
    damage(built);
    expect(await binaries("kind", environment, () => {})).toBe(built);
    expect(calls()).toHaveLength(2);
  });

  test("leave nothing half-made when Go fails, and Go's own words are in the error", async () => {
    writeFileSync(join(folder, "go"), "#!/bin/sh\necho no such module >&2; exit 1\n");
    await expect(binaries("kind", environment, () => {})).rejects.toMatchObject({
      code: "BuildFailed",
      message: expect.stringContaining("no such module"),
    });
    expect(readdirSync(join(folder, "cache/binaries"))).toEqual([]);
  });

  test("without Go, the error says how to get on", async () => {
    environment["PATH"] = "/nowhere";
    await expect(binaries("kind", environment, () => {})).rejects.toMatchObject({
      code: "NoGo",
      message: expect.stringMatching(/install Go .* or set KUBEBUILDER_ASSETS/),
    });
  });
});

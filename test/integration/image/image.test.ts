/** The image as it is built: small, without anything to work with for whoever breaks in, and told of what it is made. */
import { execFile, spawnSync } from "node:child_process";
import { globSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projectFolder } from "../../../cluster/image.ts";
import { canHaveNode } from "../../../cluster/node.ts";
import { pythonEnvironment } from "../sandbox/python-environment.ts";
import { type Contents, imageContents } from "./contents.ts";

const run = promisify(execFile);
const megabyte = 1_000_000;

let image: Contents;
if (!canHaveNode()) console.warn("the image is not looked at: building one here needs Linux and root");

interface Component {
  readonly name: string;
  readonly group?: string;
  readonly version: string;
  readonly purl?: string;
  readonly hashes?: readonly { readonly content: string }[];
}

const fullName = ({ group, name }: Component): string => (group === undefined ? name : `${group}/${name}`);

function componentsOf(text: string): readonly Component[] {
  return (JSON.parse(text) as { components: Component[] }).components;
}

describe.skipIf(!canHaveNode())("the image", () => {
  beforeAll(async () => {
    image = await imageContents();
  }, 600_000);
  afterAll(() => image?.remove());

  const readIn = (path: string): string => readFileSync(join(image.root, path), "utf8");
  const ofProgram = () => image.files.filter(({ path, type }) => type === "file" && path.startsWith("app/"));

  test("is under 250 MB, of which the program is under 10", () => {
    const sum = (files: Contents["files"]): number => files.reduce((bytes, file) => bytes + file.bytes, 0);
    expect(sum(image.files) / megabyte).toBeLessThan(250);
    expect(sum(ofProgram()) / megabyte).toBeLessThan(10);
  });

  test("runs one program, as a user who is a number and not root, and says what it is", () => {
    expect(image.configuration).toMatchObject({
      User: "65532:65532",
      Entrypoint: ["/nodejs/bin/node", "dist/main.js"],
      WorkingDir: "/app",
    });
    expect(image.configuration.Healthcheck).toBeUndefined();
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(image.configuration.Labels).toMatchObject({
      "org.opencontainers.image.title": "integration-workflow",
      "org.opencontainers.image.licenses": "Apache-2.0",
      "org.opencontainers.image.version": version,
      "org.opencontainers.image.base.name": "localhost/base",
      "org.opencontainers.image.description": expect.stringContaining("Dynamics 365"),
    });
  });

  test("has no file that its user or anybody else may write, and none that gives other rights", () => {
    expect(image.files.length).toBeGreaterThan(100);
    for (const { path, mode, owner, type } of image.files) {
      expect(owner, path).toBe("0/0");
      expect(mode, path).not.toMatch(/[sS]/);
      // Everybody's, and each file in it its owner's alone: a read-only root file system closes it too.
      if (path === "tmp/") expect(mode).toBe("rwxrwxrwt");
      else if (type !== "link") expect(mode, path).not.toMatch(/^(?:....w|.......w)/);
    }
  });

  test("has no shell, no package manager, no compiler and no download tool", () => {
    const unwanted =
      /^(?:(?:ba|da|a|z|k|c|fi)?sh|busybox|toybox|npm|npx|corepack|yarn|pnpm|apt|apt-get|dpkg|apk|rpm|pip|python3?|perl|gcc|cc|ld|curl|wget|nc|ssh|su|sudo)$/;
    const programs = image.files.filter(({ mode, type }) => type === "file" && mode.includes("x"));
    const names = programs.map(({ path }) => basename(path)).filter((name) => !name.includes(".so"));
    expect(names.filter((name) => unwanted.test(name))).toEqual([]);
    expect(names).toContain("node");
    expect(image.files.filter(({ path }) => path.includes("node_modules/"))).toEqual([]);
  });

  test("holds nothing of the machine that built it: no source maps, no absolute paths, no settings", () => {
    expect(image.files.filter(({ path }) => /\.map$|\.npmrc$|\.env|\.git|\.ts$/.test(path))).toEqual([]);
    for (const { path } of ofProgram()) {
      const text = readIn(path);
      expect(text.includes(projectFolder), path).toBe(false);
      expect(text.includes(`${tmpdir()}/integration-workflow-image-`), path).toBe(false);
    }
  });

  test.each([[], ["operator"], ["worker"], ["console"], ["sandbox"]])(
    "runs in its own root as its own user: %s",
    async (...role) => {
      const inside = ["--userspec=65532:65532", image.root, ...image.configuration.Entrypoint];
      const program = inside.map((part) => part.replace(/^dist\//, "/app/dist/"));
      const { stdout } = await run("/usr/sbin/chroot", [...program, ...role, "--help"], { env: {} });
      expect(stdout).toContain("Usage: integration-workflow");
    },
  );

  test("tells the packages of its base where scanners look for them", () => {
    const folder = join(image.root, "var/lib/dpkg/status.d");
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(["ca-certificates", "libc6", "libstdc++6"]));
    expect(readFileSync(join(folder, "libc6"), "utf8")).toMatch(/^Version: \S+/m);
  });

  describe("its bill of materials", () => {
    const path = "app/dist/sbom.cdx.json";

    test("lists every package of which something is in the program, and no other", () => {
      const bundled = new Set<string>();
      for (const file of globSync("**/*.js", { cwd: image.readable })) {
        // esbuild writes before each module where it comes from.
        const text = readFileSync(join(image.readable, file), "utf8");
        for (const [, name] of text.matchAll(/^\s*\/\/ \S*node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\/\S+$/gm))
          if (name !== undefined) bundled.add(name);
      }
      const listed = componentsOf(readIn(path)).filter(({ name }) => name !== "node");
      expect(bundled.size).toBeGreaterThan(50);
      const names = new Set(listed.map(fullName));
      for (const name of bundled) expect(names).toContain(name);
      // Style sheets are minified: their packages leave no mark.
      const unmarked = [...names].filter((name) => !bundled.has(name));
      expect(unmarked.filter((name) => !name.startsWith("@spectrum-css/"))).toEqual([]);
    });

    test("says of each package what npm says of it, and which Node it runs on", async () => {
      const options = ["--sbom-format", "cyclonedx", "--package-lock-only"];
      const npm = await run("npm", ["sbom", ...options], { maxBuffer: 64_000_000 });
      const hashesOf = (text: string) =>
        new Map(componentsOf(text).map(({ purl, hashes }) => [purl, hashes?.map(({ content }) => content)]));
      const theirs = hashesOf(npm.stdout);
      const ours = hashesOf(readIn(path));
      ours.delete(undefined); // Node, which is no package of npm's there.
      for (const [purl, hashes] of ours) expect([purl, hashes]).toEqual([purl, theirs.get(purl)]);
      const node = componentsOf(readIn(path)).find(({ name }) => name === "node");
      expect(`v${node?.version}`).toBe(process.version);
    });

    test("is valid CycloneDX, by CycloneDX's own library", async ({ skip }) => {
      const requirements = fileURLToPath(new URL("requirements.txt", import.meta.url));
      const environment = pythonEnvironment(process.env, { name: "cyclonedx", requirements });
      if ("reason" in environment) return skip(`CycloneDX's library cannot be had: ${environment.reason}`);
      const script = fileURLToPath(new URL("validate_sbom.py", import.meta.url));
      const { stdout } = await run(environment.python, [script, join(image.root, path)]);
      expect(stdout.trim()).toBe("valid");
    });

    test("has the licence of each package beside it", () => {
      const texts = readIn("app/dist/THIRD-PARTY-LICENSES.txt");
      const packages = componentsOf(readIn(path)).filter(({ purl }) => purl !== undefined);
      for (const each of packages) expect(texts).toContain(`\n${fullName(each)} ${each.version} (`);
      expect(texts).not.toContain("carries no text");
      expect(readIn("app/LICENSE")).toContain("Apache License");
    });

    test("and the program are the same bytes wherever they are built", () => {
      const made = ofProgram().filter(({ path: file }) => file.startsWith("app/dist/"));
      expect(made.length).toBeGreaterThan(20);
      for (const { path: file } of made) {
        const isSame = readIn(file) === readFileSync(join(image.again, file.replace("app/dist/", "")), "utf8");
        expect(isSame, file).toBe(true);
      }
    });
  });
});

test("npm knows of no vulnerability in any package that the project uses", ({ skip }) => {
  const { stdout } = spawnSync("npm", ["audit", "--json"], { encoding: "utf8", timeout: 60_000 });
  const answer = JSON.parse(stdout || "{}") as {
    readonly message?: string;
    readonly metadata?: { readonly vulnerabilities: Readonly<Record<string, number>> };
    readonly vulnerabilities?: object;
  };
  // Many mirrors of the registry have no such service: no answer is no fault of the program's.
  if (answer.metadata === undefined) return skip(`the registry did not say: ${answer.message ?? "no answer"}`);
  expect(answer.vulnerabilities).toEqual({});
});

import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

const pages = globSync(["*.md", "docs/**/*.md", "examples/**/*.md"]);

function headings(page: string): string[] {
  const lines = readFileSync(page, "utf8").match(/^#+ .+$/gm) ?? [];
  return lines.map((line) => line.replace(/^#+ /, ""));
}

/** As GitHub names the place of a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

test.each(pages)("every link of %s leads somewhere", (page) => {
  for (const [, target = ""] of readFileSync(page, "utf8").matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [path = "", place] = target.split("#");
    const file = path === "" ? page : join(dirname(page), path);
    expect(existsSync(file), `${page}: ${target}`).toBe(true);
    if (place !== undefined) expect(headings(file).map(anchor), `${page}: ${target}`).toContain(place);
  }
});

test("every decision is in the list of decisions", () => {
  const list = readFileSync("docs/decisions/README.md", "utf8");
  for (const page of globSync("docs/decisions/*.md")) {
    if (!page.endsWith("README.md")) expect(list).toContain(`(${page.split("/").at(-1)})`);
  }
});

describe("the troubleshooting page", () => {
  const described = headings("docs/how-to/troubleshoot.md").flatMap((heading) => heading.split(", "));

  /** Reasons as the sources write them: `reason: "NameConflict"`, and the codes of errors that end a worker. */
  const sources = globSync(["src/operator/**/*.ts", "src/worker/engine/*.ts", "src/worker/queue/errors.ts"]);
  const reasons = sources.flatMap((source) => {
    const text = readFileSync(source, "utf8");
    const written = [...text.matchAll(/reason: "([A-Z][A-Za-z]+)"/g)].map(([, reason = ""]) => reason);
    const codes = [...text.matchAll(/ErrorCode = ([^;]+);/g)].flatMap(
      ([, union = ""]) => union.match(/[A-Z]\w+/g) ?? [],
    );
    return [...written, ...codes];
  });
  /** They need no advice: what was asked for is so. */
  const fine = ["Running", "Stopped", "Started", "NoDrift", "UpToDate", "SpecChanged", "WorkerReady"];

  test.each([...new Set(reasons)].filter((reason) => !fine.includes(reason)).sort())(
    "says what to do about %s",
    (reason) => {
      expect(described).toContain(reason);
    },
  );
});

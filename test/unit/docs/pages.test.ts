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

  /**
   * Reasons as the sources write them: of a condition or a refusal (`reason: "NameConflict"`, `reason: "A" | "B"`, `reason = "A"`), of what
   * does not fit (`add("ColumnMissing", ...)`), of an error that ends a worker, and codes of errors that pause a mapping or
   * bury a record.
   */
  const word = '"([A-Z][A-Za-z0-9]+)"';
  const patterns = [
    `reason: ${word}`,
    `reason = ${word}`,
    `\\badd\\(${word},`,
    `FatalError\\(\\s*${word}`,
    `"?([A-Z]\\w+)"?: "(?:Mapping|Record)",`,
  ];
  const unions = [/StoreErrorCode =([^;]+);/g, /\breason:((?:\s*\|?\s*"\w+")+)/g];
  const reasons = globSync(["src/operator/**/*.ts", "src/worker/**/*.ts", "src/steering/**/*.ts"]).flatMap((source) => {
    const text = readFileSync(source, "utf8");
    const written = patterns.flatMap((pattern) =>
      [...text.matchAll(new RegExp(pattern, "g"))].map(([, one = ""]) => one),
    );
    const inUnions = unions.flatMap((union) =>
      [...text.matchAll(union)].flatMap(([, words = ""]) => words.match(/[A-Z]\w+/g) ?? []),
    );
    const constants = source.endsWith("queue/reasons.ts") ? (text.match(/(?<== ")\w+/g) ?? []) : [];
    return [...written, ...inUnions, ...constants];
  });
  /** They need no advice: what was asked for is so, or the worker deals with it alone. */
  const fine = [
    "Running",
    "Stopped",
    "Started",
    "NoDrift",
    "UpToDate",
    "WorkerReady",
    "WithinLimits",
    "NotRunning",
    "MappingResumed",
    "NotThrottled",
    "DeltaTokenExpired",
  ];

  test.each([...new Set(reasons)].filter((reason) => !fine.includes(reason)).sort())(
    "says what to do about %s",
    (reason) => {
      expect(described).toContain(reason);
    },
  );
});

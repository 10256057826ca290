import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

/** The comparison names fields, reasons and limits of ours: each must be there, and be what it says. */

const page = readFileSync("docs/explanation/compared-with-adobes-app.md", "utf8");
const reference = readFileSync("docs/reference.md", "utf8");

/** The third column of every table but the legend: what is done here. */
const here = (page.match(/^\|.*\|.*\|.*\|.*\|$/gm) ?? [])
  .map((line) => line.split("|")[3] ?? "")
  .filter((cell) => !/^\s*(here|---)\s*$/.test(cell));

const marked = here.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text));

describe("the comparison with Adobe's app", () => {
  it.each([...new Set(marked.filter((text) => /^[a-z]+[A-Za-z]*(\.[a-zA-Z]+)?(: \S+)?$/.test(text)))])(
    "names `%s`, which is a field of the resource",
    (text) => {
      const name = text.split(": ")[0]?.split(".").at(-1) ?? "";
      expect(reference).toMatch(new RegExp(`^\\| \`${name}\` \\|`, "m"));
    },
  );

  it.each([...new Set(marked.filter((text) => /^([A-Z][a-z]+){2,}$/.test(text)))])(
    "names the reason `%s`, which a page of ours explains or the schema lists",
    (reason) => {
      const pages = ["docs/how-to/troubleshoot.md", "docs/reference.md"].map((path) => readFileSync(path, "utf8"));
      expect(pages.join("\n")).toContain(reason);
    },
  );

  it("judges every line", () => {
    const verdicts = (page.match(/^\|.*\|$/gm) ?? []).filter((line) => line.split("|").length === 6);
    expect(verdicts.length).toBeGreaterThan(60);
    for (const line of verdicts) {
      const verdict = line.split("|")[4]?.trim() ?? "";
      expect(verdict, line).toMatch(/^(same|better|worse|different|not yet|better, but for deletions|---|)$/);
    }
  });

  it("gives our limits as the schema has them", () => {
    const limit = (field: string) =>
      new RegExp(`^\\| \`${field}\` \\| list[^|]*at most (\\d+)`, "m").exec(reference)?.[1];
    expect(page).toContain(`${limit("mappings")} mappings of ${limit("fields")} fields`);
  });
});

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const page = readFileSync("docs/how-to/divide-limits.md", "utf8");

/** The cells of the example's table, by the workflow's name. */
const rows = new Map(
  [...page.matchAll(/^\| `?([a-z-]+)`?[^|]*\|[^|]*\| ([\d.]+) \|[^|]*\| ([\d.]+) \|$/gm)].map(
    ([, name = "", share, calls]) => [name, { share: Number(share), calls: Number(calls) }],
  ),
);

test("the example's parts add up to what there is, and the commands say the same", () => {
  const { together, ...workflows } = Object.fromEntries(rows);
  expect(Object.keys(workflows)).toEqual(["contacts", "email-events", "opt-outs"]);
  const sum = (of: "share" | "calls") => Object.values(workflows).reduce((total, parts) => total + parts[of], 0);
  expect(sum("share")).toBe(100);
  expect(together).toEqual({ share: sum("share"), calls: sum("calls") });
  for (const [name, { share }] of Object.entries(workflows)) {
    expect(page).toMatch(
      new RegExp(`patch iw ${name} +--type=merge -p '\\{"spec":\\{"dynamics":\\{"share":${share}\\}`),
    );
  }
});

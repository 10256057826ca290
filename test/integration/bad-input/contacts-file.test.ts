/** A contacts file that the sandbox cannot use; types of columns are tested in test/unit/sandbox/command.test.ts. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { run } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "contacts-"));
afterAll(() => rmSync(folder, { recursive: true }));

const files: readonly (readonly [what: string, text: string | undefined, message: string])[] = [
  ["is not there", undefined, "after 0 rows: ENOENT: no such file or directory, open '{file}'"],
  [
    "is no CSV",
    "firstname,lastname\nAda,Lovelace,Countess\n",
    "after 0 rows: Invalid Record Length: columns length is 2, got 3 on line 2",
  ],
  [
    "has another table's columns",
    "id,name\n1,Ada\n",
    'after 0 rows: column "id" is no plain column of the table "contact"',
  ],
  [
    "has a contactid that is none",
    "contactid,firstname\n,Ada\n7,Bea\n",
    "after 1 rows: the contactid is not a GUID such as 5db5b9ed-9138-4433-94a1-bd30ea8316ea; left empty, it is made",
  ],
];

test.each(files)("a contacts file that %s ends the sandbox, naming file and place", async (what, text, message) => {
  const file = join(folder, `${what}.csv`);
  if (text !== undefined) writeFileSync(file, text);
  const anywhere = [
    "--dataverse-address",
    "127.0.0.1:0",
    "--campaign-address",
    "127.0.0.1:0",
    "--control-address",
    "0",
  ];
  const ended = await run(["sandbox", "--contacts", file, ...anywhere]);
  expect(ended).toMatchObject({ code: 1, message: `contacts file ${file}, ${message.replace("{file}", file)}` });
  expect(ended.output.trim().split("\n")).toHaveLength(1);
});

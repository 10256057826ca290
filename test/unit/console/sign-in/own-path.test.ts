import fc from "fast-check";
import { expect, test } from "vitest";
import { ownPath } from "../../../../src/console/sign-in/own-path.ts";

const origin = "https://workflows.example.com";

/** Halves of characters, too. */
const anything = fc.array(fc.nat(0xffff), { maxLength: 40 }).map((codes) => String.fromCharCode(...codes));

test("wherever it leads, it is a page of this server's, in characters that a header takes and a cookie holds", () => {
  const parts = fc.constantFrom(
    "/",
    "\\",
    ".",
    "..",
    "\t",
    "\n",
    "@",
    ":",
    "?",
    "#",
    "evil.example",
    "https:",
    "workflows",
    "ä",
  );
  const paths = fc.oneof(
    fc.array(parts, { maxLength: 12 }).map((all) => all.join("")),
    anything.map((text) => `/${text}`),
    fc.constantFrom("https://evil.example", "javascript:alert(1)", "data:text/html,x"),
  );
  fc.assert(
    fc.property(paths, (to) => {
      const path = ownPath(to);
      expect(new URL(path, origin).origin).toBe(origin);
      // As a browser reads it on some page of this server's.
      expect(new URL(path, `${origin}/sign-in/callback`).origin).toBe(origin);
      expect(path).toMatch(/^\/[\x21-\x7e]{0,1023}$/);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ["/workflows/crm/orders?said=edit", "/workflows/crm/orders?said=edit"],
  ["/workflows#main", "/workflows"],
  ["/sign-inner", "/sign-inner"],
  ["/live?x", "/workflows"],
  ["/sign-in?to=/sign-in", "/workflows"],
  ["", "/workflows"],
  [["/workflows"], "/workflows"],
])("%s leads to %s", (to, path) => {
  expect(ownPath(to)).toBe(path);
});

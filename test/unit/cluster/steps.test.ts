import { expect, test } from "vitest";
import { stepsOn } from "../../../cluster/steps.ts";

function written(isTTY: boolean): { text: () => string; output: { write: (text: string) => void; isTTY: boolean } } {
  let text = "";
  const write = (more: string): void => {
    text += more;
  };
  return { text: () => text, output: { write, isTTY } };
}

test("a step is one line with its seconds, after what it reported, and gives its result", async () => {
  const { output, text } = written(false);
  const result = await stepsOn(output)("image", async (report) => {
    report("building it");
    return 7;
  });
  expect(result).toBe(7);
  expect(text()).toMatch(/^ {6}building it\n {2}ok {2}image \(\d+\.\d s\)\n$/);
});

test("a step that fails says so, and its error goes on", async () => {
  const { output, text } = written(false);
  const failing = stepsOn(output)("image", () => Promise.reject(new Error("disk full")));
  await expect(failing).rejects.toThrow("disk full");
  expect(text()).toBe("FAILED image\n");
});

test("on a terminal the step shows while it runs", async () => {
  const { output, text } = written(true);
  await stepsOn(output)("image", async () => expect(text()).toContain("…   image"));
});

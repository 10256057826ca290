import { expect, test } from "vitest";
import type { Told } from "../../../../src/api/worker-metadata.ts";
import { KeptAnswers } from "../../../../src/worker/metadata/kept.ts";

function scene() {
  let nowMs = 1_000_000;
  const asked: string[] = [];
  const answers: ((answer: Told<object>) => void)[] = [];
  const kept = new KeptAnswers({ now: () => nowMs, schedule: () => () => {} });
  const look = (key: string) =>
    kept.look(key, () => {
      asked.push(key);
      return new Promise<Told<object>>((resolve) => answers.push(resolve));
    });
  return {
    kept,
    asked,
    look,
    pass: (ms: number) => {
      nowMs += ms;
    },
    async tell(answer: Told<object>, key: string) {
      answers.shift()?.(answer);
      await kept.settled([key]);
    },
  };
}

test("two who look at once make one question; its answer stands for five minutes, and is shown until the next one is there", async () => {
  const { look, asked, pass, tell } = scene();
  expect(look("contact")).toEqual({ is: "Asked" });
  expect(look("contact")).toEqual({ is: "Asked" });
  expect(asked).toEqual(["contact"]);
  await tell({ is: "Told" }, "contact");
  pass(5 * 60_000 - 1);
  expect(look("contact")).toEqual({ is: "Told" });
  expect(asked).toHaveLength(1);
  pass(1);
  expect(look("contact")).toEqual({ is: "Told" });
  expect(asked).toHaveLength(2);
});

test("what is missing or refused is asked again after seconds", async () => {
  const { look, asked, pass, tell } = scene();
  look("gone");
  await tell({ is: "Missing", message: "no" }, "gone");
  pass(14_999);
  look("gone");
  expect(asked).toHaveLength(1);
  pass(1);
  look("gone");
  expect(asked).toHaveLength(2);
});

test("no more than four questions at once reach a system, and no more than two hundred a minute", async () => {
  const { look, asked, pass, tell } = scene();
  for (let index = 0; index < 300; index += 1) look(`table_${index}`);
  expect(asked).toHaveLength(4);
  for (let index = 0; index < 200; index += 1) await tell({ is: "Told" }, `table_${index}`);
  expect(asked).toHaveLength(200);
  expect(look("table_250")).toEqual({ is: "Asked" });
  expect(asked).toHaveLength(200);
  pass(60_000);
  look("table_250");
  expect(asked).toHaveLength(201);
});

test("what was asked first is forgotten first", async () => {
  const { look, asked, pass, tell } = scene();
  for (let index = 0; index < 193; index += 1) {
    look(`table_${index}`);
    await tell({ is: "Told" }, `table_${index}`);
    pass(400);
  }
  expect(asked).toHaveLength(193);
  look("table_1");
  expect(asked).toHaveLength(193);
  look("table_0");
  expect(asked).toHaveLength(194);
});

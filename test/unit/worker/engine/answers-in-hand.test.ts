import { expect, it } from "vitest";
import { AnswersInHand } from "../../../../src/worker/engine/answers-in-hand.ts";
import { StoreOutage } from "../../../../src/worker/queue/errors.ts";
import { TestClock } from "./test-clock.ts";

const full = () => new StoreOutage("StoreFull", "no room");

function inHand() {
  const clock = new TestClock();
  const answers = new AnswersInHand({ clock, settings: { fullStorePauseMs: 1000 }, random: () => 0.5 });
  return { clock, answers };
}

it("keeps an answer until the store takes it, and says so meanwhile", async () => {
  const { clock, answers } = inHand();
  let tries = 0;
  let stored: string | undefined;
  const storing = answers.store(async () => {
    tries += 1;
    if (tries < 4) throw full();
    return "stored";
  }, new AbortController().signal);
  void storing.then((answer) => {
    stored = answer;
  });
  await clock.until(() => tries === 2, 5000);
  expect(answers.any).toBe(true);
  expect(clock.now()).toBe(750);
  await clock.until(() => stored !== undefined, 5000);
  expect(tries).toBe(4);
  expect(answers.any).toBe(false);
});

it("is tried once more when the worker ends, and then given up", async () => {
  const { answers } = inHand();
  const stop = new AbortController();
  let tries = 0;
  const storing = answers.store(async () => {
    tries += 1;
    throw full();
  }, stop.signal);
  await expect.poll(() => answers.any).toBe(true);
  stop.abort();
  await expect(storing).rejects.toThrow("no room");
  expect(tries).toBe(2);
  expect(answers.any).toBe(false);
});

it("is given up at once for another reason than the store's", async () => {
  const { answers } = inHand();
  const broken = new Error("broken");
  await expect(answers.store(() => Promise.reject(broken), new AbortController().signal)).rejects.toBe(broken);
  expect(answers.any).toBe(false);
});

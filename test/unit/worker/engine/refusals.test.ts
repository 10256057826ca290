import { afterEach, describe, expect, it } from "vitest";
import { EngineGround, idOf } from "./engine-ground.ts";

let ground: EngineGround;
afterEach(() => ground.end());

describe("records that people removed in Campaign", () => {
  it("are refused one by one, however many: that is no wave of Campaign's, and the rest goes on", async () => {
    ground = await EngineGround.make(60);
    await ground.settled();
    ground.target.records.splice(0, 50);
    const left = ground.target.records.map(({ externalId }) => externalId);
    for (let n = 0; n < 60; n++) ground.source.put(idOf(n), `Changed ${n}`);
    await ground.clock.until(
      () => ground.target.records.every(({ name }) => String(name).startsWith("Changed")),
      30_000,
    );
    await ground.clock.until(async () => (await ground.counts()).dead === 50, 30_000);
    expect(ground.target.records.map(({ externalId }) => externalId)).toEqual(left);
    expect(await ground.counts()).toMatchObject({ pending: 0, dead: 50 });
    expect(ground.engine.notReady()).toBeUndefined();
  });
});

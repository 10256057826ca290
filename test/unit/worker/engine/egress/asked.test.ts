/** Fates of events, and refused ones taken up again. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataverseError } from "../../../../../src/worker/http/service-error.ts";
import { recordsText } from "../../../../../src/worker/records/text.ts";
import { contact, defaults, header, line, lines, World } from "./world.ts";

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.end());

describe("Egress, asked by a person", () => {
  const desk = () => {
    const { records } = world.engine;
    if (records === undefined) throw new Error("the engine has not begun");
    return records;
  };
  const noContact = new DataverseError("no contact", {
    code: "Refused",
    outcome: "Refused",
    serviceCode: "0x80040217",
  });
  const deadOnes = async (kind: string) => (await world.kind(kind))?.deadLettered;

  it("reads refused events again from their files, and says which no file has any longer", async () => {
    world.put("delivery_logs_20260715.txt", header + lines(30));
    world.put("delivery_logs_20260716.txt", header + lines(30, 30));
    world.refusal = () => noContact;
    await world.start();
    await world.clock.until(async () => (await deadOnes("send")) === 60, 300_000);
    const [letter] = (await desk().deadLetters({ limit: 1 })).deadLetters;
    expect(letter?.message).toMatch(/it is line \d+ of the file delivery_logs_2026071[56].txt$/);
    world.files.delete("delivery_logs_20260716.txt");
    world.refusal = () => undefined;
    // Killed between the question and its end: what is known by its id alone is looked for by the next life.
    expect(await desk().redrive({ all: true })).toMatchObject({ redriven: 60 });
    await world.kill();
    await world.start();
    await world.clock.until(
      async () => (await world.engine.status()).backlog === 0 && (await deadOnes("send")) === 30,
      600_000,
    );
    expect(world.made.size).toBe(30);
    const { counts } = await desk().deadLetters({ limit: 1 });
    expect(counts).toEqual([{ mapping: "send", reason: "EventGone", records: 30 }]);
  });

  it("tries an event that waits for its file with a newer file that has it", async () => {
    world.put("delivery_logs_20260715.txt", header + lines(1));
    world.refusal = () => noContact;
    await world.start();
    await world.clock.until(async () => (await deadOnes("send")) === 1, 300_000);
    world.refusal = () => undefined;
    world.files.clear();
    world.isServerThere = false;
    await desk().redrive({ all: true });
    world.put("delivery_logs_20260720.txt", header + lines(1));
    world.isServerThere = true;
    await world.clock.until(() => world.made.size === 1, 600_000);
  });

  it("does not give an event up while a file that may have it waits to be read", async () => {
    world.put("delivery_logs_20260715.txt", header + lines(1));
    world.refusal = () => noContact;
    await world.start();
    await world.clock.until(async () => (await deadOnes("send")) === 1, 300_000);
    world.refusal = () => undefined;
    world.files.clear();
    world.stuckFile = "delivery_logs_20260720.txt";
    world.put(world.stuckFile, header + lines(1));
    await desk().redrive({ all: true });
    const later = world.clock.now() + 400_000;
    await world.clock.until(() => world.clock.now() > later, 500_000);
    expect(await world.kind("send")).toMatchObject({ backlog: 1, deadLettered: 0 });
    world.stuckFile = undefined;
    await world.clock.until(() => world.made.size === 1, 600_000);
  });

  it("reads refused lines again as the format is configured now, and says which are there no longer", async () => {
    world.put("delivery_logs_20260715.txt", `${header}${line(1)}2,${contact},15.07.2026,Sent,,DM1\nhalf a line\n`);
    await world.start();
    await world.clock.until(async () => (await deadOnes("exports")) === 2, 300_000);
    await world.kill();
    world.dateFormat = "dd.MM.yyyy";
    await world.start();
    await world.clock.until(async () => world.engine.records !== undefined, 60_000);
    expect(await desk().redrive({ mapping: "exports" })).toMatchObject({ redriven: 2 });
    await world.clock.until(async () => world.made.size === 2 && (await deadOnes("exports")) === 1, 300_000);
    world.files.clear();
    await desk().redrive({ mapping: "exports" });
    await world.clock.until(
      async () => (await desk().deadLetters({ limit: 1 })).counts[0]?.reason === "LineGone",
      300_000,
    );
  });

  it("takes the search for an event for no answer of Dataverse", async () => {
    world.egress = { ...defaults, contactKey: "emailaddress1" };
    world.put("delivery_logs_20260715.txt", header + lines(3));
    world.refusal = () => noContact;
    await world.start();
    await world.clock.until(async () => (await deadOnes("send")) === 3, 300_000);
    world.files.clear();
    world.isDataverseThere = false;
    await desk().redrive({ all: true });
    await world.clock.until(() => world.engine.notReady() !== undefined, 140_000);
    expect(world.engine.notReady()?.message).toContain("Dataverse");
  });

  it("reads new files while those of refused lines cannot be read", async () => {
    world.put("delivery_logs_20260715.txt", `${header}half a line\n`);
    await world.start();
    await world.clock.until(async () => (await deadOnes("exports")) === 1, 300_000);
    world.stuckFile = "delivery_logs_20260715.txt";
    await desk().redrive({ mapping: "exports" });
    await world.kill();
    world.put("delivery_logs_20260716.txt", header + lines(3));
    await world.start();
    await world.clock.until(() => world.made.size === 3, 600_000);
    expect(world.engine.notReady()).toBeUndefined();
    world.stuckFile = undefined;
    await world.clock.until(async () => (await world.engine.status()).backlog === 0, 600_000);
    expect(await deadOnes("exports")).toBe(1);
  });

  it("tells of a refused line, which is no row of Dataverse, and that there is none", async () => {
    world.put("delivery_logs_20260715.txt", `${header}half a line\n`);
    await world.start();
    await world.clock.until(async () => (await deadOnes("exports")) === 1, 300_000);
    const ask = async (key: string) => recordsText(await desk().fates({ key, mapping: "exports", look: false }));
    const told = await ask("delivery_logs_20260715.txt:2");
    expect(told).toMatch(/^exports → exports: REFUSED .*\n.* LineColumnCount: line 2 of the file/);
    expect(told).not.toContain("Dataverse");
    expect(await ask("delivery_logs_20260715.txt:3")).toContain("NOT SEEN");
  });

  it("finds an event by its activity, its log and its contact", async () => {
    world.put("delivery_logs_20260715.txt", header + line(7) + line(8));
    world.refusal = ({ id }) => (world.made.size > 0 && !world.made.has(id) ? noContact : undefined);
    await world.start();
    await world.clock.until(async () => world.made.size === 1 && (await deadOnes("send")) === 1, 300_000);
    const ask = async (key: string) =>
      (await desk().fates({ key, mapping: "send", look: false })).records.map(({ fate, foundBy }) => [
        fate,
        ...foundBy,
      ]);
    const [made = ""] = world.made;
    expect(await ask(made)).toEqual([["Written", "DataverseId"]]);
    expect([...(await ask("7")), ...(await ask("8"))].toSorted()).toEqual([
      ["Refused", "CampaignKey"],
      ["Written", "CampaignKey"],
    ]);
    expect(await ask(contact)).toEqual([["Written", "ContactKey"]]);
    expect(await ask("nobody")).toEqual([["NotSeen"]]);
    await expect(ask("7").then(() => desk().fates({ key: "7", mapping: "contact", look: false }))).rejects.toThrow(
      "this workflow maps no table",
    );
  });
});

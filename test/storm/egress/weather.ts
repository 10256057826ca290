/** What may happen to exports, activities and the ways between them, by weight. */
import { setTimeout as sleep } from "node:timers/promises";
import { sftpHappenings } from "../exports/place.ts";
import { longestHoldMs } from "../ground.ts";
import { type Happening, happenOne } from "../happenings.ts";
import { addFault, closeGate, forAWhile, protection } from "../service-weather.ts";
import { storeHappenings } from "../store-weather.ts";
import type { EgressStorm } from "./storm.ts";

/** So many padded lines are more than the worker reads at once. */
const manyLines = 250;
const chunkBytes = 256 * 1024;
/** Until the worker reads what was put. */
const longestWaitMs = 4000;

const happenings: readonly Happening<EgressStorm>[] = [
  { name: "an export comes", weight: 12, happen: (storm) => put(storm, storm.chance.count(20)) },
  { name: "an export grows", weight: 8, happen: grow },
  { name: "a large export comes", weight: 3, happen: putLarge },
  { name: "an export repeats what changed", weight: 6, happen: putChanged },
  { name: "a file that is no export comes", weight: 2, happen: putOther },
  { name: "an export is overwritten", weight: 5, happen: overwrite },
  { name: "an export is overwritten while it is read", weight: 3, happen: overwriteWhileRead },
  { name: "an export is renamed", weight: 4, happen: rename },
  { name: "an export is removed", weight: 3, happen: remove },
  { name: "an export that was removed comes again", weight: 3, happen: putAgain },
  { name: "an export comes under another name too", weight: 3, happen: copy },
  { name: "an export may not be read for a while", weight: 1, happen: deny },
  { name: "contacts are removed", weight: 3, happen: (storm) => storm.contacts.remove(storm.chance.count(2)) },
  { name: "a contact comes back", weight: 3, happen: (storm) => storm.contacts.bringBack() },
  { name: "an activity is edited", weight: 4, happen: (storm) => storm.activities.edit() },
  { name: "an activity is removed", weight: 2, happen: (storm) => storm.activities.remove() },
  { name: "a request is refused or lost", weight: 14, happen: ({ course }) => addFault(course, "dataverse") },
  {
    name: "access tokens expire",
    weight: 2,
    happen: ({ course }) => course.control.expireAccessTokens({ side: "dataverse" }),
  },
  { name: "service protection bites", weight: 1, happen: ({ course }) => forAWhile(course, protection) },
  { name: "Dataverse goes away", weight: 3, happen: ({ course }) => closeGate(course, "dataverse") },
  { name: "the volume is full", weight: 3, happen: ({ course }) => course.fillVolume() },
  { name: "the worker is killed", weight: 3, happen: (storm) => storm.runs.kill() },
  {
    name: "the worker is killed while it writes",
    weight: 3,
    happen: (storm) => storm.killWhileWriting(() => put(storm, storm.chance.count(40))),
  },
  {
    name: "the worker is killed while it reads",
    weight: 3,
    happen: (storm) => storm.killWhileReading(() => put(storm, 20 + storm.chance.count(100))),
  },
  { name: "the worker is stopped", weight: 3, happen: (storm) => storm.runs.stop() },
];

/** Lets one thing happen. @returns its name */
export function happen(storm: EgressStorm): Promise<string> {
  const ofStore = storeHappenings(storm.course.store).map(
    ({ happen: work, ...one }): Happening<EgressStorm> => ({ ...one, happen: ({ course }) => work(course) }),
  );
  return happenOne([...happenings, ...sftpHappenings, ...ofStore], storm);
}

/** @returns how many bytes it is */
function put({ folder, exporter }: EgressStorm, count: number): number {
  const log = exporter.anyLog();
  const text = exporter.fresh(log, count);
  folder.put(exporter.newName(log), text);
  return text.bytes.length;
}

function putLarge({ folder, exporter }: EgressStorm): void {
  const log = exporter.anyLog();
  folder.put(exporter.newName(log), exporter.fresh(log, manyLines, true));
}

function putChanged({ folder, exporter, chance }: EgressStorm): void {
  const log = exporter.anyLog();
  folder.put(exporter.newName(log), exporter.changed(log, chance.count(8)));
}

function putOther({ folder, exporter }: EgressStorm): void {
  folder.put(exporter.newName(exporter.anyLog()), exporter.other());
}

/** In parts that end anywhere, in mid-line too, each of which may stand still for a while. */
function grow({ folder, exporter, chance, course }: EgressStorm): void {
  const log = exporter.anyLog();
  const text = exporter.fresh(log, chance.count(12));
  const sizes = Array.from({ length: chance.count(4) }, () => chance.count(text.bytes.length - 1));
  const inOrder = [...new Set(sizes)].toSorted((a, b) => a - b);
  const pauses = inOrder.map(() => chance.random() * 1200);
  const name = exporter.newName(log);
  course.later(0, () => folder.grow(name, text, inOrder, () => sleep(pauses.pop() ?? 0)));
}

/** With other events in place of those that were there, or beside them. */
function overwrite({ folder, exporter, chance }: EgressStorm): void {
  const name = anyName(folder.names, chance);
  if (name === undefined) return;
  const log = exporter.anyLog();
  const text = exporter.fresh(log, chance.count(12));
  if (chance.random() < 0.5) folder.put(name, text);
  else folder.overwrite(name, text);
}

/** Between two of the worker's reads. */
function overwriteWhileRead(storm: EgressStorm): void {
  const { folder, exporter, chance, place, course } = storm;
  const log = exporter.anyLog();
  const name = exporter.newName(log);
  const text = exporter.fresh(log, manyLines, true);
  const instead = exporter.fresh(log, manyLines - chance.count(100), true);
  const isHeld = place.relay.holdAfter(chunkBytes / 2 + chance.count(chunkBytes));
  folder.put(name, text);
  course.later(0, async () => {
    await Promise.race([isHeld, sleep(longestWaitMs)]);
    folder.overwrite(name, instead);
    place.relay.letGo();
  });
}

/** Its time in the name, by which files are read in order, is another one then. */
function rename({ folder, exporter, chance }: EgressStorm): void {
  const name = anyName(folder.names, chance);
  if (name !== undefined) folder.rename(name, exporter.newName(exporter.anyLog()));
}

function remove({ folder, chance }: EgressStorm): void {
  const name = anyName(folder.names, chance);
  if (name !== undefined) folder.remove(name);
}

function putAgain({ folder, exporter, chance }: EgressStorm): void {
  if (folder.removed.length > 0) folder.put(exporter.newName(exporter.anyLog()), chance.oneOf(folder.removed));
}

function copy({ folder, exporter, chance }: EgressStorm): void {
  const text = folder.textOf(anyName(folder.names, chance) ?? "");
  if (text !== undefined) folder.put(exporter.newName(exporter.anyLog()), text);
}

function deny({ folder, chance, course }: EgressStorm): void {
  const name = anyName(folder.names, chance);
  if (name === undefined) return;
  folder.deny(name);
  course.later(chance.random() * longestHoldMs, async () => folder.allowAll());
}

function anyName(names: readonly string[], chance: EgressStorm["chance"]): string | undefined {
  return names.length === 0 ? undefined : chance.oneOf(names);
}

/** What may happen to opt-outs and on their ways, by weight. */
import { setTimeout as sleep } from "node:timers/promises";
import { sftpHappenings } from "../exports/place.ts";
import { type Happening, happenOne } from "../happenings.ts";
import { addFault, closeGate, forAWhile, protection, shortTokens, side, throttle } from "../service-weather.ts";
import { storeHappenings } from "../store-weather.ts";
import type { OptInOutStorm } from "./storm.ts";

const happenings: readonly Happening<OptInOutStorm>[] = [
  {
    name: "people opt in or out in Dynamics",
    weight: 12,
    happen: (storm) => several(storm, () => storm.people.editContact()),
  },
  {
    name: "people opt in or out in Campaign",
    weight: 12,
    happen: (storm) => several(storm, () => storm.people.editProfile()),
  },
  { name: "both change, nearly at once", weight: 10, happen: (storm) => several(storm, () => storm.people.collide()) },
  { name: "somebody cannot decide", weight: 5, happen: ({ people }) => people.waver() },
  { name: "something else of a contact changes", weight: 6, happen: ({ people }) => people.touchContact() },
  { name: "something else of a profile changes", weight: 4, happen: ({ people }) => people.touchProfile() },
  { name: "a contact comes", weight: 3, happen: ({ people }) => people.addContact() },
  { name: "a contact is removed", weight: 2, happen: ({ people }) => people.removeContact() },
  { name: "a contact is made again", weight: 2, happen: ({ people }) => people.remakeContact() },
  { name: "a profile is removed", weight: 2, happen: ({ people }) => people.removeProfile() },
  { name: "a profile is made", weight: 4, happen: ({ people }) => people.makeProfile() },
  { name: "a profile is removed and made again", weight: 3, happen: ({ people }) => people.replaceProfile() },
  { name: "a contact is touched while an opt-in is written to it", weight: 6, happen: touchWhileWritten },
  { name: "an export comes", weight: 10, happen: (storm) => storm.export() },
  { name: "an export that was made before comes late", weight: 3, happen: exportLate },
  { name: "PKeys change", weight: 1, happen: ({ course }) => course.control.rotatePKeys() },
  { name: "a request is refused or lost", weight: 14, happen: ({ course }) => addFault(course) },
  {
    name: "access tokens expire",
    weight: 2,
    happen: ({ course }) => course.control.expireAccessTokens({ side: side(course) }),
  },
  { name: "access tokens live shortly", weight: 1, happen: ({ course }) => forAWhile(course, shortTokens) },
  { name: "delta tokens expire", weight: 1, happen: ({ course }) => course.control.expireDeltaTokens({}) },
  { name: "service protection bites", weight: 1, happen: ({ course }) => forAWhile(course, protection) },
  { name: "Campaign throttles", weight: 1, happen: ({ course }) => forAWhile(course, throttle) },
  { name: "a side goes away", weight: 3, happen: ({ course }) => closeGate(course) },
  { name: "the volume is full", weight: 3, happen: ({ course }) => course.fillVolume() },
  { name: "the worker is killed", weight: 3, happen: (storm) => storm.runs.kill() },
  { name: "the worker is killed while it writes", weight: 4, happen: (storm) => storm.killWhileWriting() },
  { name: "the worker is stopped", weight: 3, happen: (storm) => storm.runs.stop() },
];

/** Lets one thing happen. @returns its name */
export function happen(storm: OptInOutStorm): Promise<string> {
  const ofStore = storeHappenings(storm.course.store).map(
    ({ happen: work, ...one }): Happening<OptInOutStorm> => ({ ...one, happen: ({ course }) => work(course) }),
  );
  return happenOne([...happenings, ...sftpHappenings, ...ofStore], storm);
}

/** Dynamics is slow with the write, so that somebody is quicker. */
async function touchWhileWritten(storm: OptInOutStorm): Promise<void> {
  const { course, people } = storm;
  await course.isAtWork();
  const id = await people.optIn();
  if (id === undefined) return;
  const slow = { kind: "slow", milliseconds: 1500 } as const;
  const path = { method: "PATCH", pathPattern: `contacts\\(${id}` };
  const fault = await course.control.addFault({ side: "dataverse", ...path, times: 1, action: slow });
  await storm.export();
  course.later(0, async () => {
    const until = performance.now() + 8000;
    const isMet = async () => (await course.control.faults()).some((one) => one.id === fault && one.met > 0);
    while (performance.now() < until && !(await isMet())) await sleep(20);
    await people.touchContact(id);
  });
}

/** One after the other. */
async function several({ chance }: OptInOutStorm, work: () => Promise<unknown>): Promise<void> {
  for (let n = chance.count(3); n > 0; n--) await work();
}

/** What it says is no longer so, or it comes after a newer one. */
async function exportLate({ course, chance, exporter, folder }: OptInOutStorm): Promise<void> {
  const text = await exporter.export();
  const name = exporter.newName();
  course.later(chance.random() * 3000, async () => folder.put(name, text));
}

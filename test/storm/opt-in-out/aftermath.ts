/** After the storm, when all is at rest: a few changes whose outcome the documentation tells exactly, for nothing else happens. */
import { setTimeout as sleep } from "node:timers/promises";
import type { OptOutNames } from "../../../src/sandbox/campaign/standard-resources.ts";
import { type ContactHistory, type System, valueIn } from "./history.ts";
import { fieldOn, type OptInOut, type PairField, pairs } from "./pairs.ts";
import type { People } from "./people.ts";

/** `modifiedon` has whole seconds: what is farther apart than this is never in one. */
const apartMs = 1100;

const changes = ["InDynamics", "InCampaign", "InCampaignThenTouched", "ContactTouched", "ProfileTouched"] as const;
type Change = (typeof changes)[number];

interface Prediction {
  readonly id: string;
  readonly field: PairField;
  readonly change: Change;
  readonly was: boolean;
  readonly expected: Readonly<Record<System, boolean>>;
}

export class Aftermath {
  readonly #people: People;
  readonly #names: OptOutNames;
  readonly #optInOut: OptInOut;
  readonly #tellsTimes: boolean;
  readonly #predictions: Prediction[] = [];
  #since = 0;

  /** @param tellsTimes whether the worker learns when an opt-out changed in Campaign */
  constructor(people: People, names: OptOutNames, optInOut: OptInOut, tellsTimes: boolean) {
    this.#people = people;
    this.#names = names;
    this.#optInOut = optInOut;
    this.#tellsTimes = tellsTimes;
  }

  async change(histories: ReadonlyMap<string, ContactHistory>): Promise<void> {
    this.#since = Math.max(...[...histories.values()].flatMap(({ steps }) => steps.map(({ deed }) => deed.sequence)));
    await sleep(apartMs);
    const mapped = pairs.filter(({ field }) => this.#optInOut.mappings.some((one) => one.field === field));
    const alike = [...histories.values()].flatMap(({ id, now }) => {
      const same = mapped.filter(({ field }) =>
        isAlike(now.Dynamics && valueIn(now.Dynamics, field), now.Campaign && valueIn(now.Campaign, field)),
      );
      return same.length === mapped.length ? [{ id, now }] : [];
    });
    for (const [n, { id, now }] of alike.slice(0, 15).entries()) {
      const change = changes[n % changes.length] ?? "ContactTouched";
      const { field } = mapped[n % mapped.length] ?? pairs[0];
      const was = valueIn(now.Dynamics, field) === true;
      this.#predictions.push({ id, field, change, was, expected: this.#expected(change, was) });
    }
    for (const { id, field, change, was } of this.#predictions) await this.#begin(id, field, change, was);
    await sleep(apartMs);
    for (const { id, change } of this.#predictions) {
      if (change === "InCampaignThenTouched") await this.#people.touchContact(id);
    }
  }

  /** @returns what is not as predicted, one sentence each */
  differences(histories: ReadonlyMap<string, ContactHistory>): readonly string[] {
    const found: string[] = [];
    const touched = new Map(this.#predictions.map((one) => [one.id, one]));
    for (const { id, field, change, was, expected } of this.#predictions) {
      for (const system of ["Dynamics", "Campaign"] as const) {
        const is = valueIn(histories.get(id)?.now[system], field);
        if (is === expected[system]) continue;
        found.push(`aftermath: ${id} ${field}, ${was}, ${change}: ${is} in ${system}, not ${expected[system]}`);
      }
    }
    for (const { id, steps } of histories.values()) {
      const change = touched.get(id)?.change;
      if (change !== undefined && change !== "ContactTouched" && change !== "ProfileTouched") continue;
      const written = steps.find(({ deed }) => deed.isByWorker && deed.sequence > this.#since);
      if (written !== undefined)
        found.push(`aftermath: ${id} was written in ${written.deed.system}, though no opt-out of it changed`);
    }
    return found;
  }

  async #begin(id: string, field: PairField, change: Change, was: boolean): Promise<void> {
    const { column } = pairs.find((pair) => pair.field === field) ?? pairs[0];
    if (change === "InDynamics") await this.#people.setContact(id, { [column]: !was });
    else if (change === "ContactTouched") await this.#people.touchContact(id);
    else if (change === "ProfileTouched") await this.#people.touchProfile(id);
    else await this.#people.setProfile(id, { [fieldOn(this.#names, field)]: !was });
  }

  #expected(change: Change, was: boolean): Prediction["expected"] {
    const all = (value: boolean) => ({ Dynamics: value, Campaign: value });
    if (change === "ContactTouched" || change === "ProfileTouched") return all(was);
    const { direction } = this.#optInOut;
    const isInDynamics = change === "InDynamics";
    const asPeopleLeft = isInDynamics ? { Dynamics: !was, Campaign: was } : { Dynamics: was, Campaign: !was };
    if (direction === "Disabled") return asPeopleLeft;
    if (direction === "DynamicsToCampaign") return isInDynamics ? all(!was) : asPeopleLeft;
    if (direction === "CampaignToDynamics") return isInDynamics ? asPeopleLeft : all(!was);
    // Opted out, unless Campaign's opt-in is later than anybody's touch, and known to be.
    return all(!(was && change === "InCampaign" && this.#tellsTimes));
  }
}

function isAlike(a: boolean | undefined, b: boolean | undefined): boolean {
  return a !== undefined && a === b;
}

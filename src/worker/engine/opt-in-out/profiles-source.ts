import type { CampaignPage } from "../../campaign/interface.ts";
import { campaignReading } from "../../flows/opt-in-out/readings.ts";
import { contactIdOf, mergeTold, toldText } from "../../flows/opt-in-out/told.ts";
import { isRefused, ServiceError } from "../../http/service-error.ts";
import type { Checkpoint } from "../../queue/checkpoint.ts";
import type { Notice } from "../../queue/contacts.ts";
import { contactsMapping, type OptInOutContext, profileResource, profilesMapping } from "./context.ts";
import type { Source } from "./reader.ts";
import { whenThereIsRoom } from "./room.ts";

const pageSize = 500;
const beginning = new Date(0).toISOString();
/** What is written to Campaign may be seen later than its own time says. */
const overlapMs = 60_000;

/** How far changed profiles were asked for: those from `since` on, in rounds. `until`: where the next round begins. */
interface Place {
  readonly since: string;
  readonly until?: string;
}

interface Seen {
  readonly modified: string;
  readonly told: string;
}

/** Campaign's profiles by the time of their last modification. */
export class ProfilesSource implements Source {
  readonly #context: OptInOutContext;
  /** What was told already: rounds overlap. By the time alone it is not known, which may have whole seconds. */
  #seen = new Map<string, Seen>();
  #worked = false;

  constructor(context: OptInOutContext) {
    this.#context = context;
  }

  /**
   * Before any contact is decided: what changes after that is to be seen. All profiles are told, so that a contact whose
   * two sides are alike costs no call of its own.
   */
  async begin(): Promise<void> {
    // What was told may be gone from the store, or void by now.
    this.#seen.clear();
    if ((await this.#checkpoint()) !== undefined) return;
    await this.#save({ mapping: profilesMapping, mappingHash: profilesMapping, generation: 1 }, { since: beginning });
  }

  async step(signal: AbortSignal): Promise<number> {
    const { modified, askProfilesEveryMs, state } = this.#context;
    const checkpoint = await this.#checkpoint();
    if (checkpoint === undefined) {
      await this.begin();
      return 0;
    }
    await whenThereIsRoom(this.#context, signal);
    const { delta } = checkpoint;
    const place = JSON.parse(delta?.link ?? "{}") as Place; // Written here alone.
    const since = new Date(place.since);
    const newest = place.until ?? (await modified.newest(profileResource, signal))?.toISOString();
    const page = await modified
      .page(profileResource, since, pageSize, delta?.nextLink, signal)
      .catch(async (error: unknown) => {
        if (delta?.nextLink === undefined || !isRefused(error)) throw error;
        await this.#save(checkpoint, { since: place.since }); // Its paging link is no longer honoured.
        return undefined;
      });
    if (page === undefined) return 0;
    this.#worked = true;
    state.sourceTrouble = undefined;
    const isLast = page.nextLink === undefined;
    const until = newest ?? place.since;
    const next = isLast ? { since: early(until, since) } : { since: place.since, until };
    await this.#tell(page, checkpoint, next);
    if (!isLast) return 0;
    this.#forgetBefore(new Date(next.since).toISOString());
    return askProfilesEveryMs;
  }

  failed(error: unknown): boolean {
    if (!(error instanceof ServiceError) || error.scope !== "Mapping") return false;
    const { state, logger, blocked } = this.#context;
    const trouble = { reason: error.code, message: error.message };
    if (state.sourceTrouble?.message !== trouble.message) {
      logger.warn("source.blocked", { mapping: contactsMapping, ...trouble });
    }
    state.sourceTrouble = trouble;
    if (!this.#worked) blocked(trouble);
    return true;
  }

  async #checkpoint(): Promise<Checkpoint | undefined> {
    return (await this.#context.queue.checkpoints()).find(({ mapping }) => mapping === profilesMapping);
  }

  async #tell(page: CampaignPage, checkpoint: Checkpoint, place: Place): Promise<void> {
    const { queue, state, logger, wake } = this.#context;
    const { plan } = state;
    const generation = state.checkpoint?.generation ?? 1;
    if (plan === undefined) return;
    const seen: (readonly [string, Seen])[] = [];
    const notices = page.records.flatMap((record): Notice[] => {
      const id = contactIdOf(record.fields[plan.keyField]);
      const modified = instant(record.fields["lastModified"]);
      if (id === undefined) return [];
      const told = toldText({ campaign: campaignReading(plan, record, false) });
      const before = this.#seen.get(id);
      if (before?.modified === modified && before.told === told) return [];
      // Of those that the next round cannot ask for, nothing need be remembered.
      if (modified >= early(place.until ?? place.since, new Date(place.since))) seen.push([id, { modified, told }]);
      return [{ id, told }];
    });
    const next = this.#next(checkpoint, place, page.nextLink);
    const isQuiet = notices.length === 0 && next.delta?.link === checkpoint.delta?.link && page.nextLink === undefined;
    if (isQuiet) return;
    const bulk = checkpoint.delta?.link.includes(beginning) ?? false;
    const commit = { mapping: contactsMapping, generation, notices, merge: mergeTold, bulk, checkpoint: next };
    await queue.contacts.tell(commit);
    for (const [id, one] of seen) this.#seen.set(id, one);
    if (notices.length === 0) return;
    logger.info("page.read", { mapping: contactsMapping, from: "Campaign", records: notices.length });
    wake();
  }

  #next(checkpoint: Checkpoint, place: Place, nextLink: string | undefined): Checkpoint {
    const issuedAt = this.#context.now();
    const next = nextLink === undefined ? {} : { nextLink };
    return { ...checkpoint, delta: { link: JSON.stringify(place), issuedAt, ...next } };
  }

  #save(checkpoint: Checkpoint, place: Place): Promise<void> {
    const { queue, state } = this.#context;
    return queue.contacts.tell({
      mapping: contactsMapping,
      generation: state.checkpoint?.generation ?? 1,
      notices: [],
      merge: mergeTold,
      bulk: false,
      checkpoint: this.#next(checkpoint, place, undefined),
    });
  }

  #forgetBefore(since: string): void {
    this.#seen = new Map([...this.#seen].filter(([, { modified }]) => modified >= since));
  }
}

/** Never back: what was asked for once need not be asked for again. */
function early(until: string, since: Date): string {
  return new Date(Math.max(since.getTime(), Date.parse(until) - overlapMs)).toISOString();
}

/** Campaign's time in the form of the others, so that they can be compared; of none, the earliest. */
function instant(value: unknown): string {
  const time = typeof value === "string" ? Date.parse(value.replace(" ", "T")) : Number.NaN;
  return Number.isNaN(time) ? "" : new Date(time).toISOString();
}

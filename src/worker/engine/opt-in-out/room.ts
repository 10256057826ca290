import { sleep } from "../../../telemetry/clock.ts";
import { contactsMapping, type OptInOutContext } from "./context.ts";

const lookForRoomEveryMs = 1000;

/** Waits while more contacts are to be decided than are to be: the disk is bounded. Those without a profile wait for long. */
export async function whenThereIsRoom(context: OptInOutContext, signal: AbortSignal): Promise<void> {
  const { clock, settings, queue } = context;
  for (let limit = settings.highWaterRecords; ; limit = settings.lowWaterRecords) {
    const { pending = 0, parked = 0 } = (await queue.counts()).get(contactsMapping) ?? {};
    if (pending - parked <= limit) return;
    await sleep(clock, lookForRoomEveryMs, signal);
    signal.throwIfAborted();
  }
}

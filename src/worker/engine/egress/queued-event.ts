/** An event as it waits in the queue, and where it was read. */
import type { EmailEvent } from "../../flows/egress/events.ts";

/** Where a line stands. */
export interface Place {
  readonly file: string;
  /** Line of text, from 1. */
  readonly line: number;
}

export interface QueuedEvent {
  readonly event: EmailEvent;
  readonly place: Place;
}

export function payloadOf(queued: QueuedEvent): string {
  return JSON.stringify(queued);
}

export function queuedEvent(payload: string): QueuedEvent {
  const { event, place } = JSON.parse(payload) as QueuedEvent; // Written by payloadOf alone, but for the time.
  return { event: { ...event, occurredAt: new Date(event.occurredAt) }, place };
}

/** What a refused line is known by. */
export function lineId({ file, line }: Place): string {
  return `${file}:${line}`;
}

export function placeOfLine(id: string): Place {
  const colon = id.lastIndexOf(":");
  return { file: id.slice(0, colon), line: Number(id.slice(colon + 1)) };
}

export function placeInWords({ file, line }: Place): string {
  return `line ${line} of the file ${file}`;
}

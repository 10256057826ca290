import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ConnectionError } from "../../../src/kubernetes/errors.ts";
import { type WatchEvent, watchEvents } from "../../../src/kubernetes/watch.ts";

function event(text: string, resourceVersion: string): WatchEvent {
  const metadata = { name: text, uid: "u", resourceVersion };
  return { type: "ADDED", object: { metadata } };
}

/** The bytes in pieces whose lengths are `lengths`, over and over. */
function pieces(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const result: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length = lengths[turn % lengths.length] ?? 1;
    result.push(bytes.subarray(at, at + length));
    at += length;
  }
  return result;
}

async function read(chunks: Iterable<Buffer>): Promise<WatchEvent[]> {
  const events: WatchEvent[] = [];
  for await (const entry of watchEvents(Readable.from(chunks))) events.push(entry);
  return events;
}

const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
const names = fc.array(fc.string({ unit: "grapheme", maxLength: 20 }), { minLength: 1, maxLength: 10 });

test("events are the same however the bytes are split, also in the middle of a character", async () => {
  await fc.assert(
    fc.asyncProperty(names, lengths, async (texts, sizes) => {
      const events = texts.map((text, index) => event(text, String(index + 1)));
      const bytes = Buffer.from(events.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
      expect(await read(pieces(bytes, sizes))).toEqual(events);
    }),
  );
});

test("a stream that ends inside a line gives the whole lines before it, and then fails as a broken connection", async () => {
  await fc.assert(
    fc.asyncProperty(names, lengths, fc.nat(), async (texts, sizes, cut) => {
      const lines = texts.map((text, index) => Buffer.from(`${JSON.stringify(event(text, String(index + 1)))}\n`));
      const last = lines.pop() ?? Buffer.alloc(0);
      // At least one byte of the last line, and never its line feed.
      const part = last.subarray(0, 1 + (cut % (last.length - 1)));
      const seen: WatchEvent[] = [];
      const reading = (async () => {
        for await (const entry of watchEvents(Readable.from(pieces(Buffer.concat([...lines, part]), sizes))))
          seen.push(entry);
      })();
      await expect(reading).rejects.toBeInstanceOf(ConnectionError);
      expect(seen).toHaveLength(lines.length);
    }),
  );
});

test.each(["not json\n", "{}\n", "null\n", '{"type":"SURPRISE","object":{}}\n'])(
  "a line that is no event is a broken connection: %j",
  async (line) => {
    await expect(read([Buffer.from(line)])).rejects.toBeInstanceOf(ConnectionError);
  },
);

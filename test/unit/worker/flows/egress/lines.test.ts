import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  atStart,
  type Cutting,
  cut,
  type Line,
  longestLine,
  type TextFormat,
} from "../../../../../src/worker/flows/egress/lines.ts";

const comma: TextFormat = { delimiter: ",", encoding: "utf-8" };

function linesOf(bytes: Buffer | string, format = comma, whole = true): readonly Line[] {
  return cut(atStart, Buffer.from(bytes), whole, format).lines;
}

/** Reads in chunks, and now and then dies and begins anew at the offset that it kept, as a worker does. */
function inPieces(bytes: Buffer, sizes: readonly number[], dies: readonly boolean[], format = comma): Line[] {
  let cutting: Cutting = atStart;
  const lines: Line[] = [];
  let at = 0;
  for (let step = 0; ; step += 1) {
    const size = sizes[step % sizes.length]!;
    const chunk = bytes.subarray(at, at + size);
    at += chunk.length;
    const more = cut(cutting, chunk, at >= bytes.length, format);
    cutting = more.cutting;
    lines.push(...more.lines);
    if (at >= bytes.length) return lines;
    if (dies[step] === true) {
      at = cutting.offsetBytes;
      cutting = { ...cutting, rest: Buffer.alloc(0) };
    }
  }
}

/** Text that is full of what matters, broken or not. */
const messy = fc
  .array(fc.constantFrom("a", "é", "€", '"', '""', ",", "\n", "\r\n", "\r", "b c", "\uFEFF", "1"), { maxLength: 60 })
  .map((parts) => parts.join(""));
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });
const dies = fc.array(fc.boolean(), { maxLength: 60 });

describe("lines of an exported file", () => {
  it("are cut at newlines outside quotes, and carry the number of their first line of text", () => {
    expect(linesOf('a,b\r\n1,"two\nlines, ""quoted"""\n\n3,\n')).toEqual([
      { number: 1, content: ["a", "b"] },
      { number: 2, content: ["1", 'two\nlines, "quoted"'] },
      { number: 5, content: ["3", ""] },
    ]);
  });

  it("wait for their newline until the file is known to be whole", () => {
    const { cutting, lines } = cut(atStart, Buffer.from("a,b\n1,tw"), false, comma);
    expect(lines).toEqual([{ number: 1, content: ["a", "b"] }]);
    expect(cutting).toEqual({ offsetBytes: 4, textLines: 1, rest: Buffer.from("1,tw") });
    expect(cut(cutting, Buffer.alloc(0), true, comma).lines).toEqual([{ number: 2, content: ["1", "tw"] }]);
  });

  it("wait for nothing when their newline is there", () => {
    for (const text of ["a\n", "a\r\n", '"a"\n', '"a"\r\n', "a,\n", 'a,"b\nc"\n', '"a"b\n', "\n"]) {
      expect(cut(atStart, Buffer.from(text), false, comma).cutting.rest, text).toHaveLength(0);
    }
  });

  it("are refused one by one: a stray quote costs its own line only", () => {
    for (const bad of ['2,"open', '2,"shut"x', '2,in"side', '2,"', '"2,3']) {
      expect(linesOf(`1,a\n${bad}\n3,"c"\n4,"d\nd"\n5,e`), bad).toEqual([
        { number: 1, content: ["1", "a"] },
        { number: 2, content: "QuoteBroken" },
        { number: 3, content: ["3", "c"] },
        { number: 4, content: ["4", "d\nd"] },
        { number: 6, content: ["5", "e"] },
      ]);
    }
  });

  it("are read in every encoding that can be configured", () => {
    const text = "clé,prix\nÄ,ünï\n";
    for (const [encoding, bytes] of [
      ["utf-8", Buffer.from(`\uFEFF${text}`)],
      ["utf-8", Buffer.from(text)],
      ["iso-8859-1", Buffer.from(text, "latin1")],
      ["windows-1252", Buffer.from(text, "latin1")],
      ["utf-16le", Buffer.from(`\uFEFF${text}`, "utf16le")],
      ["utf-16le", Buffer.from(text, "utf16le")],
    ] as const) {
      const format = { delimiter: ",", encoding };
      const contents = linesOf(bytes, format).map(({ content }) => content);
      expect(contents, encoding).toEqual([
        ["clé", "prix"],
        ["Ä", "ünï"],
      ]);
      expect(inPieces(bytes, [1], [], format)).toEqual(linesOf(bytes, format));
    }
    expect(linesOf(Buffer.of(0x80, 0x2c, 0x92), { delimiter: ",", encoding: "windows-1252" })[0]?.content).toEqual([
      "€",
      "’",
    ]);
  });

  it("are refused when their bytes are no text in the encoding", () => {
    expect(linesOf(Buffer.of(0x61, 0x0a, 0xe9, 0x0a, 0x62, 0x0a)).map(({ content }) => content)).toEqual([
      ["a"],
      "NotInEncoding",
      ["b"],
    ]);
  });

  it("may have any delimiter, also one of several bytes", () => {
    const bytes = Buffer.from('a§"b§"§c\n');
    const format: TextFormat = { delimiter: "§", encoding: "utf-8" };
    expect(linesOf(bytes, format)[0]?.content).toEqual(["a", "b§", "c"]);
    expect(inPieces(bytes, [1], [], format)).toEqual(linesOf(bytes, format));
  });

  it("end the reading where one of them has no end, in bounded memory", () => {
    const bytes = Buffer.concat([Buffer.from("a,b\n"), Buffer.alloc(3 * longestLine, "x")]);
    expect(inPieces(bytes, [100_000], [])[1]).toEqual({ number: 2, content: "TooLong" });
  });

  it("come out the same after a quote that nobody closes, however far the file goes on", () => {
    const bytes = Buffer.from(`1,"a\n${"2,b\n".repeat(longestLine / 2)}`);
    const whole = linesOf(bytes);
    expect(whole[0]).toEqual({ number: 1, content: "QuoteBroken" });
    expect(whole).toHaveLength(1 + longestLine / 2);
    expect(inPieces(bytes, [70_001], [])).toEqual(whole);
  });

  it("are the same whatever the chunks and wherever the reader dies", () => {
    for (const encoding of ["utf-8", "utf-16le", "windows-1252"] as const) {
      fc.assert(
        fc.property(messy, sizes, dies, (text, chunks, deaths) => {
          const bytes = Buffer.from(text, encoding === "utf-16le" ? "utf16le" : "utf8");
          const format = { delimiter: ",", encoding };
          expect(inPieces(bytes, chunks, deaths, format)).toEqual(linesOf(bytes, format));
        }),
        { numRuns: 1000 },
      );
    }
  });

  it("are those that csv-parse finds in a file without fault", () => {
    const field = fc.string({ unit: fc.constantFrom("a", "é", '"', ",", "\n", " ", "1"), maxLength: 6 });
    const written = (value: string) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    const rows = fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { maxLength: 8 });
    fc.assert(
      fc.property(rows, fc.constantFrom("\n", "\r\n"), fc.boolean(), (records, newline, ends) => {
        const text = records.map((record) => record.map(written).join(",")).join(newline) + (ends ? newline : "");
        const theirs: unknown = parse(text, {
          relax_column_count: true,
          skip_empty_lines: true,
          record_delimiter: newline,
        });
        expect(linesOf(text).map(({ content }) => content)).toEqual(theirs);
      }),
      { numRuns: 1000 },
    );
  });
});

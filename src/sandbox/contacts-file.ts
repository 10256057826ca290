import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { parse } from "csv-parse";
import { readCell } from "./dataverse/cells.ts";
import { listedRows, type RowSource } from "./dataverse/row-source.ts";
import { type Cells, type CellValue, type Column, isLookup, type Table } from "./dataverse/schema.ts";
import { guidOf } from "./random.ts";

/** A contacts file that cannot be used; the message says where and why. */
class ContactsFileError extends Error {
  readonly code = "ContactsFile";

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ContactsFileError";
  }
}

/**
 * Reads a CSV file whose first line names columns of the table. Empty cells are null; a row without an id gets one
 * that is the same every time.
 * @throws ContactsFileError
 */
export async function readContactsFile(file: string, table: Table, seed: number): Promise<RowSource> {
  const rows: { id: string; cells: Cells }[] = [];
  const parser = parse({ columns: true, bom: true, skip_empty_lines: true });
  try {
    await pipeline(createReadStream(file), parser, async (lines: AsyncIterable<Readonly<Record<string, string>>>) => {
      for await (const line of lines) rows.push(readRow(table, line, rows.length, seed));
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ContactsFileError(`contacts file ${file}, after ${rows.length} rows: ${reason}`, { cause });
  }
  return listedRows(rows);
}

function readRow(
  table: Table,
  line: Record<string, string>,
  index: number,
  seed: number,
): { id: string; cells: Cells } {
  const cells: Record<string, CellValue> = { statecode: 0, statuscode: 1 };
  let id = guidOf(seed, index);
  for (const [name, text] of Object.entries(line)) {
    const column = table.columns.find((one) => one.name === name);
    if (column === undefined || isLookup(column)) {
      throw new RangeError(`column "${name}" is no plain column of the table "${table.name}"`);
    }
    if (text === "") continue;
    if (name === table.primaryId) id = guid(name, text);
    else cells[name] = readCell(table, column, fromText(column, text));
  }
  const person = [cells["firstname"], cells["lastname"]].filter((part) => typeof part === "string");
  return { id, cells: { ...cells, fullname: person.join(" ") } };
}

function guid(name: string, text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase();
  throw new RangeError(
    `the ${name} is not a GUID such as 5db5b9ed-9138-4433-94a1-bd30ea8316ea; left empty, it is made`,
  );
}

function fromText(column: Column, text: string): unknown {
  switch (column.type) {
    case "Integer":
    case "BigInt":
    case "Decimal":
    case "Double":
    case "Money":
    case "Picklist":
    case "State":
    case "Status":
      return Number(text);
    case "Boolean":
      return text === "true" || text === "1";
    default:
      return text;
  }
}

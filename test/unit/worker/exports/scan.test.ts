import { describe, expect, it } from "vitest";
import { scan } from "../../../../src/worker/exports/scan.ts";
import type { FileProgress } from "../../../../src/worker/flows/egress/files.ts";
import { SftpError } from "../../../../src/worker/sftp/errors.ts";
import type { Sftp } from "../../../../src/worker/sftp/interface.ts";

const never = new AbortController().signal;
const format = { delimiter: ",", encoding: "utf-8" } as const;
const time = 1_784_000_000;

interface Stored {
  text: string;
  modifiedSeconds: number;
}

/** Files in memory, read three bytes at a time. */
class Folder implements Sftp {
  readonly files = new Map<string, Stored>();
  readonly refused = new Map<string, SftpError>();
  onRead: () => void = () => {};

  put(name: string, text: string, modifiedSeconds = time): void {
    this.files.set(name, { text, modifiedSeconds });
  }

  async list() {
    return [...this.files].map(([name, { text, modifiedSeconds }]) => ({
      name,
      sizeBytes: text.length,
      modifiedSeconds,
    }));
  }

  async stat(path: string) {
    const { text, modifiedSeconds } = this.#file(path);
    return { sizeBytes: text.length, modifiedSeconds };
  }

  async *read(path: string) {
    const refusal = this.refused.get(path);
    if (refusal !== undefined) throw refusal;
    for (let at = 0; at < this.#file(path).text.length; at += 3) {
      yield Buffer.from(this.#file(path).text.slice(at, at + 3));
      this.onRead();
    }
  }

  #file(path: string): Stored {
    const file = this.files.get(path.replace("exports/", ""));
    if (file === undefined) throw new SftpError("PathMissing", "there is no such file");
    return file;
  }

  /** As a reader has left them: all of them read to their end as they are now. */
  async progress(): Promise<FileProgress[]> {
    const position = { offsetBytes: 0, lines: 0, digest: "", columns: undefined };
    return (await this.list()).map((file) => ({ ...file, position, done: true, format: "" }));
  }
}

async function ids(folder: Folder, progress: readonly FileProgress[]): Promise<string[]> {
  const found: string[] = [];
  for await (const { rows } of scan({ sftp: folder, folder: "exports", format, progress }, () => true, never)) {
    for (const { content } of rows) found.push(typeof content === "string" ? content : (content["id"] ?? ""));
  }
  return found;
}

describe("files that are looked into once more", () => {
  it("are read from the newest by the time in their names on, each from its beginning", async () => {
    const folder = new Folder();
    folder.put("a_20260715.txt", "id\n1\n2\n");
    folder.put("b_20260716.txt", "id\n3\n4");
    expect(await ids(folder, await folder.progress())).toEqual(["3", "4", "1", "2"]);
  });

  it("are those alone that were read to their end and are as they were: another's last line may be half of one", async () => {
    const folder = new Folder();
    folder.put("read.txt", "id\n1\n");
    folder.put("begun.txt", "id\n2\n");
    folder.put("grown.txt", "id\n3\n");
    folder.put("touched.txt", "id\n4\n");
    const progress = (await folder.progress()).map((file) => ({ ...file, done: file.name !== "begun.txt" }));
    folder.put("grown.txt", "id\n3\n55");
    folder.put("touched.txt", "id\n5\n", time + 1);
    folder.put("new.txt", "id\n6\n66");
    expect(await ids(folder, progress)).toEqual(["1"]);
  });

  it("make no line of two contents when they are overwritten meanwhile", async () => {
    const folder = new Folder();
    folder.put("a.txt", "id\n11\n22\n33\n");
    const progress = await folder.progress();
    let reads = 0;
    folder.onRead = () => {
      reads += 1;
      if (reads === 2) folder.put("a.txt", "xx\nxx\n99\n99\n", time + 1);
    };
    expect(await ids(folder, progress)).not.toContain("99");
  });

  it("that are gone, not given away or not understood hold up no other; a server that is gone ends it", async () => {
    const folder = new Folder();
    folder.put("denied.txt", "id\n1\n");
    folder.put("broken.txt", '"id\n2\n');
    folder.put("good.txt", "id\n3\n");
    folder.refused.set("exports/denied.txt", new SftpError("Forbidden", "no"));
    expect(await ids(folder, await folder.progress())).toEqual(["3"]);
    folder.refused.set("exports/denied.txt", new SftpError("ConnectionLost", "it broke"));
    await expect(ids(folder, await folder.progress())).rejects.toThrow("it broke");
  });
});

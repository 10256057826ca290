import ssh2, { type Attributes, type FileEntry, type SFTPWrapper } from "ssh2";
import { FileTreeError } from "./errors.ts";
import type { FileTree } from "./file-tree.ts";
import type { StoredFile } from "./stored-file.ts";

const { OPEN_MODE: mode, STATUS_CODE: status } = ssh2.utils.sftp;

/** S_IFDIR and S_IFREG of POSIX, with the usual rights. */
const folderMode = 0o040755;
const fileMode = 0o100644;
const unreadableMode = 0o100200;

/** The largest answer to one READ; more is asked for again. */
const largestReadBytes = 256 * 1024;

/** Clients take no answer of more than 256 KiB. */
const entriesAnAnswer = 100;

type Handle =
  | { readonly kind: "file"; readonly file: StoredFile; readonly flags: number }
  | { readonly kind: "folder"; readonly entries: readonly FileEntry[]; told: number };

/**
 * Answers one session's requests (draft-ietf-secsh-filexfer-02) from the files. Links and extensions are refused.
 * @param leaving bytes of a file are about to leave
 */
export function serveFiles(sftp: SFTPWrapper, tree: FileTree, leaving: (bytes: number) => void): void {
  const handles = new Map<number, Handle>();
  let last = 0;
  const give = (request: number, handle: Handle) => {
    last += 1;
    handles.set(last, handle);
    const name = Buffer.alloc(4);
    name.writeUInt32BE(last);
    sftp.handle(request, name);
  };
  const handleOf = (name: Buffer): Handle => {
    const handle = name.length === 4 ? handles.get(name.readUInt32BE()) : undefined;
    if (handle === undefined) throw new FileTreeError("Failure", "there is no such handle");
    return handle;
  };
  const fileOf = (name: Buffer): StoredFile => {
    const handle = handleOf(name);
    if (handle.kind !== "file") throw new FileTreeError("Failure", "the handle is a folder's");
    return handle.file;
  };
  const answer = (request: number, work: () => void) => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof FileTreeError)) throw error;
      sftp.status(request, statusOf(error), error.message);
    }
  };
  const done = (request: number, work: () => void) =>
    answer(request, () => {
      work();
      sftp.status(request, status.OK);
    });

  sftp.on("OPEN", (request, path, flags) => answer(request, () => give(request, openFile(tree, path, flags))));
  sftp.on("READ", (request, name, offset, length) =>
    answer(request, () => {
      const bytes = fileOf(name).read(offset, Math.min(length, largestReadBytes));
      leaving(bytes.length);
      if (bytes.length === 0) sftp.status(request, status.EOF);
      else sftp.data(request, bytes);
    }),
  );
  sftp.on("WRITE", (request, name, offset, bytes) =>
    done(request, () => {
      const handle = handleOf(name);
      if (handle.kind !== "file" || (handle.flags & mode.WRITE) === 0)
        throw new FileTreeError("Denied", "it was not opened to be written");
      if ((handle.flags & mode.APPEND) !== 0) handle.file.append(bytes);
      else handle.file.write(offset, bytes);
    }),
  );
  sftp.on("CLOSE", (request, name) =>
    done(request, () => {
      handleOf(name);
      handles.delete(name.readUInt32BE());
    }),
  );
  sftp.on("OPENDIR", (request, path) =>
    answer(request, () => give(request, { kind: "folder", entries: entriesOf(tree, path), told: 0 })),
  );
  sftp.on("READDIR", (request, name) =>
    answer(request, () => {
      const handle = handleOf(name);
      if (handle.kind !== "folder") throw new FileTreeError("Failure", "the handle is a file's");
      const next = handle.entries.slice(handle.told, handle.told + entriesAnAnswer);
      if (next.length === 0) return sftp.status(request, status.EOF);
      handle.told += next.length;
      sftp.name(request, next);
    }),
  );
  for (const event of ["STAT", "LSTAT"] as const) {
    sftp.on(event, (request: number, path: string) =>
      answer(request, () => sftp.attrs(request, attributesAt(tree, path))),
    );
  }
  sftp.on("FSTAT", (request, name) => answer(request, () => sftp.attrs(request, attributesOf(fileOf(name)))));
  sftp.on("SETSTAT", (request, path, wanted) =>
    done(request, () => {
      if (!tree.isFolder(path)) setAttributes(tree.existing(path), wanted);
    }),
  );
  sftp.on("FSETSTAT", (request, name, wanted) => done(request, () => setAttributes(fileOf(name), wanted)));
  sftp.on("REALPATH", (request, path) =>
    answer(request, () => {
      const whole = tree.whole(path);
      const attrs = tree.isFolder(whole) || tree.file(whole) !== undefined ? attributesAt(tree, whole) : attributesOf();
      sftp.name(request, [{ filename: whole, longname: longName(whole, attrs), attrs }]);
    }),
  );
  sftp.on("REMOVE", (request, path) => done(request, () => tree.remove(path)));
  sftp.on("RENAME", (request, from, to) =>
    done(request, () => {
      // "It is an error if there already exists a file with the name specified by newpath." (section 6.5)
      if (tree.file(to) !== undefined) throw new FileTreeError("Failure", `${tree.whole(to)} is there already`);
      tree.rename(from, to);
    }),
  );
  sftp.on("MKDIR", (request, path) => done(request, () => tree.makeFolder(path)));
  sftp.on("RMDIR", (request, path) => done(request, () => tree.removeFolder(path)));
}

function openFile(tree: FileTree, path: string, flags: number): Handle {
  const isWritten = (flags & mode.WRITE) !== 0;
  if (isWritten && (flags & mode.EXCL) !== 0 && tree.file(path) !== undefined)
    throw new FileTreeError("Failure", `${tree.whole(path)} is there already`);
  const file = isWritten && (flags & mode.CREAT) !== 0 ? tree.open(path) : tree.existing(path);
  if ((flags & mode.READ) !== 0 && !file.readable)
    throw new FileTreeError("Denied", `the user may not read ${tree.whole(path)}`);
  if (isWritten && (flags & mode.TRUNC) !== 0) file.truncate(0);
  return { kind: "file", file, flags };
}

function entriesOf(tree: FileTree, path: string): readonly FileEntry[] {
  const itself = [".", ".."].map((name) => entry(name, undefined));
  return [...itself, ...tree.list(path).map(({ name, file }) => entry(name, file))];
}

function entry(filename: string, file: StoredFile | undefined): FileEntry {
  const attrs = attributesOf(file);
  return { filename, longname: longName(filename, attrs), attrs };
}

function attributesAt(tree: FileTree, path: string): Attributes {
  return tree.isFolder(path) ? attributesOf() : attributesOf(tree.existing(path));
}

/** @param file undefined: of a folder */
function attributesOf(file?: StoredFile): Attributes {
  const seconds = Math.floor((file?.modifiedAt ?? 0) / 1000);
  const rights = file?.readable === false ? unreadableMode : fileMode;
  return {
    mode: file === undefined ? folderMode : rights,
    uid: 0,
    gid: 0,
    size: file?.sizeBytes ?? 0,
    atime: seconds,
    mtime: seconds,
  };
}

function setAttributes(file: StoredFile, { size, mtime }: Partial<Attributes>): void {
  if (size !== undefined) file.truncate(size);
  if (mtime !== undefined) file.modifiedAt = mtime * 1000;
}

/** As `ls -l` prints it. */
function longName(name: string, { mode: bits, size, mtime }: Attributes): string {
  const rights = bits === folderMode ? "drwxr-xr-x" : bits === fileMode ? "-rw-r--r--" : "--w-------";
  const [, month, day, year] = new Date(mtime * 1000)
    .toUTCString()
    .replace(/^\w+, (\d+) (\w+) (\d+).*/, " $2 $1 $3")
    .split(" ");
  return `${rights} 1 contoso contoso ${String(size).padStart(8)} ${month} ${day} ${year} ${name}`;
}

function statusOf({ failure }: FileTreeError): number {
  if (failure === "NoSuchFile") return status.NO_SUCH_FILE;
  return failure === "Denied" ? status.PERMISSION_DENIED : status.FAILURE;
}

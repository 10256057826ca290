import { posix } from "node:path";
import { FileTreeError } from "../sftp/errors.ts";
import { isPublicKey } from "../sftp/server.ts";
import type { StoredFile } from "../sftp/stored-file.ts";
import { ControlError, type SandboxControl } from "./interface.ts";
import type { SandboxWorld } from "./world.ts";

type ExportsControl = Pick<
  SandboxControl,
  | "sendDelivery"
  | "runExports"
  | "setExports"
  | "exportOptOuts"
  | "listExports"
  | "readExport"
  | "putExport"
  | "renameExport"
  | "truncateExport"
  | "removeExport"
  | "setSftp"
  | "cutSftp"
>;

/** The files that Campaign's workflows export, and the server that they lie on. */
export function exportsControl({ sftp, exportFolder, exports, sender, schedules }: SandboxWorld): ExportsControl {
  const { tree, connections } = sftp;
  const at = (name: string) => posix.join(exportFolder, name);
  const existing = (name: string): StoredFile => checked(() => tree.existing(at(name)));
  return {
    sendDelivery: async (order) => sender.send(order),
    runExports: () => exports.run(),
    setExports: async ({ everySeconds, deliveryEverySeconds, ...settings }) => {
      if (settings.timeZone !== undefined) checkTimeZone(settings.timeZone);
      exports.settings = { ...exports.settings, ...settings };
      if (everySeconds !== undefined) schedules.exports.set(everySeconds);
      if (deliveryEverySeconds !== undefined) schedules.deliveries.set(deliveryEverySeconds);
      return {
        ...exports.settings,
        everySeconds: schedules.exports.everySeconds,
        deliveryEverySeconds: schedules.deliveries.everySeconds,
      };
    },
    exportOptOuts: async ({ since }) => exports.optOuts(since),
    listExports: async () =>
      tree.list(exportFolder).flatMap(({ name, file }) => {
        return file === undefined ? [] : [{ name, sizeBytes: file.sizeBytes, modifiedAt: file.modifiedAt }];
      }),
    readExport: async ({ name, encoding }) => {
      const file = existing(name);
      return file.read(0, file.sizeBytes).toString(encoding ?? "utf8");
    },
    putExport: async ({ name, text, encoding, append, modifiedAt, readable }) => {
      const file = checked(() => tree.open(at(name)));
      if (append !== true) file.truncate(0);
      checked(() => file.append(Buffer.from(text, encoding ?? "utf8")));
      if (modifiedAt !== undefined) file.modifiedAt = modifiedAt;
      if (readable !== undefined) file.readable = readable;
    },
    renameExport: async ({ from, to }) => checked(() => tree.rename(at(from), at(to))),
    truncateExport: async ({ name, sizeBytes }) => checked(() => existing(name).truncate(sizeBytes)),
    removeExport: async ({ name }) => checked(() => tree.remove(at(name))),
    setSftp: async ({ state, ...account }) => {
      if (account.publicKey !== undefined && !isPublicKey(account.publicKey))
        throw new ControlError("publicKey is no public key such as ssh-ed25519 AAAA...");
      sftp.account = { ...sftp.account, ...account };
      if (state !== undefined) connections.set(state);
    },
    cutSftp: async ({ afterBytes }) => {
      if (afterBytes === undefined) return connections.cut();
      connections.cutAfter(afterBytes);
      return 0;
    },
  };
}

function checkTimeZone(timeZone: string): void {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
  } catch (cause) {
    throw new ControlError(`"${timeZone}" is no time zone such as Europe/Paris`, { cause });
  }
}

function checked<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof FileTreeError) throw new ControlError(cause.message, { cause });
    throw cause;
  }
}

import { writeFileSync } from "node:fs";
import { type LastWords, lastWordsMaxBytes, type WorkerStatus } from "../../api/worker-contract.ts";

const longestMessageCharacters = 1500;

/**
 * The last words as JSON of at most `lastWordsMaxBytes` bytes, for the kubelet keeps only the tail of a longer text. Left
 * out, when there is no room: mappings, the last first; then the end of the message.
 */
export function encodeLastWords(reason: string, message: string, status: WorkerStatus | undefined): string {
  const base: LastWords = {
    reason,
    message: shortened(message),
    ...(status === undefined ? {} : { backlog: status.backlog }),
    ...(status?.lastSyncTime === undefined ? {} : { lastSyncTime: status.lastSyncTime }),
  };
  // Why one stands still is told while it does: here there is room for little.
  const mappings = (status?.mappings ?? []).map(({ message: _, ...mapping }) => mapping);
  for (let kept = mappings.length; kept > 0; kept--) {
    const text = JSON.stringify({ ...base, mappings: mappings.slice(0, kept) });
    if (Buffer.byteLength(text) <= lastWordsMaxBytes) return text;
  }
  for (let length = base.message.length; ; length = Math.floor(length * 0.8)) {
    const text = JSON.stringify({ ...base, message: base.message.slice(0, length) });
    if (Buffer.byteLength(text) <= lastWordsMaxBytes || length === 0) return text;
  }
}

/** Writes into the file that is there: the kubelet mounts it by itself, so it cannot be replaced. */
export function writeLastWords(path: string, words: string): void {
  writeFileSync(path, words);
}

function shortened(message: string): string {
  return message.length <= longestMessageCharacters ? message : `${message.slice(0, longestMessageCharacters)}…`;
}

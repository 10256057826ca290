/**
 * Others' words as they are quoted in a message: without what changes from try to try though it says the same, for every
 * other message is a write of status; and without the full stop, which ours adds.
 */
export function quote(words: string, length = 1024): string {
  const lasting = words
    .trim()
    // The near end of a connection: `read udp 10.244.0.1:50884->10.96.0.10:53: i/o timeout`.
    .replace(/(?:\d+\.\d+\.\d+\.\d+|\[[\da-f:]+\]):\d+->/gi, "")
    .replace(/^Back-off pulling image "[^"]*": \w+: /, "")
    .replace(/\.$/, "");
  return clip(lasting, length);
}

export function clip(message: string, length: number): string {
  return message.length <= length ? message : `${message.slice(0, length - 1)}…`;
}

/*
 * Read your own writes. A cache is behind the server: right after a write it still holds the object as it was before.
 * Deciding on that copy does a thing twice. So a writer notes what the server answered (uid and resourceVersion), and
 * looks again only once the cache has seen it.
 *
 * How "seen" is told:
 * - Resource versions of one resource type are compared as integers. Kubernetes promises that since 1.35 (KEP-5504).
 *   Before, it was so without a promise for every type that kube-apiserver itself stores, which are all that are cached
 *   here (built-in ones and custom resources, not those of aggregated servers): the version is etcd's revision, and the
 *   server's own watch cache parses it as uint64 and waits for "not older than".
 * - A watch delivers in order, so anything it delivered at a version (an event of any object, a bookmark, a list) shows
 *   that everything up to it has arrived. This also covers an object that was deleted, replaced or that left the
 *   selection after our write: none of them would ever show our version.
 * - A version that is not a decimal integer is opaque: seen is what is equal, and the cache drops the notes of a uid whose
 *   deletion it saw. As the cache can be past our write before the answer to our write is here, and then never shows an
 *   equal version, such a note is dropped after `opaquePatienceMs`. That is safe because every write carries a
 *   precondition: a decision made too early is refused by the server, not obeyed.
 */

/** Whether `left` is at least as new as `right`; undefined when they cannot be compared. */
export function isAtLeast(left: string, right: string): boolean | undefined {
  if (left === right) return true;
  if (!decimal.test(left) || !decimal.test(right)) return undefined;
  // Without leading zeros, the longer number is the greater one; of the same length, text order is number order.
  return left.length === right.length ? left > right : left.length > right.length;
}

const decimal = /^[1-9]\d*$/;

/** How long an opaque version is waited for: far more than a watch is behind on a working connection. */
export const opaquePatienceMs = 10_000;

/** What a write was answered with. */
export interface OwnWrite {
  uid: string;
  /** Absent for a deletion: the object with this uid is to be gone. */
  resourceVersion: string | undefined;
  notedAtMs: number;
}

/** What the cache knows when it is asked. */
export interface CacheView {
  uid: string | undefined;
  resourceVersion: string | undefined;
  /** The newest version that the reflector of this scope has delivered. */
  progress: string | undefined;
}

export function hasSeen(write: OwnWrite, view: CacheView, nowMs: number): boolean {
  if (write.resourceVersion === undefined) return view.uid !== write.uid;
  for (const version of [view.resourceVersion, view.progress]) {
    if (version !== undefined && isAtLeast(version, write.resourceVersion) === true) return true;
  }
  const opaque = view.progress !== undefined && isAtLeast(view.progress, write.resourceVersion) === undefined;
  return opaque && nowMs - write.notedAtMs > opaquePatienceMs;
}

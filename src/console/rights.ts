/** What a person may do with workflows, for what a page offers: the deed itself is decided by the API server. */
import { apiGroup, plural } from "../api/group.ts";
import { may } from "./person.ts";
import type { SignedIn } from "./sign-in/signed-in.ts";

/** Whether the person may change workflows there at all: the API server has one right for a start and for an edit. */
export async function maySwitch({ person }: SignedIn, namespace: string | undefined): Promise<boolean> {
  return may(person, { namespace, verb: "patch", group: apiGroup, resource: plural });
}

/** One question for the whole cluster answers most people's; else one a namespace. */
export async function switchableNamespaces(
  signed: SignedIn,
  namespaces: Iterable<string>,
): Promise<ReadonlySet<string>> {
  const names = [...new Set(namespaces)];
  if (names.length > 1 && (await maySwitch(signed, undefined))) return new Set(names);
  const answers = await Promise.all(names.map((name) => maySwitch(signed, name)));
  return new Set(names.filter((_, index) => answers[index]));
}

const rightsMs = 10_000;

/** Rights change seldom and are shown often: an answer stands for a while. */
export function rememberedRights(signed: SignedIn, now: () => number): (namespace: string) => Promise<boolean> {
  const answers = new Map<string, { readonly atMs: number; readonly answer: Promise<boolean> }>();
  return (namespace) => {
    const known = answers.get(namespace);
    if (known !== undefined && now() - known.atMs < rightsMs) return known.answer;
    // Whoever cannot be told now is taken for somebody who may not.
    const answer = maySwitch(signed, namespace).catch(() => false);
    answers.set(namespace, { atMs: now(), answer });
    return answer;
  };
}

/** What a page offers, as its stream is told, so that the page learns when that is no longer so. */
export interface Offer {
  readonly may: readonly string[];
  readonly mayNot: readonly string[];
}

/** So many namespaces of a page are looked after; a row of another learns it with its own next change. */
const mostNamespaces = 12;

export function offerOf(namespaces: Iterable<string>, maySwitchThere: (namespace: string) => boolean): Offer {
  const names = [...new Set(namespaces)].slice(0, mostNamespaces);
  return { may: names.filter(maySwitchThere), mayNot: names.filter((name) => !maySwitchThere(name)) };
}

export function offerQuery({ may: allowed, mayNot }: Offer): Readonly<Record<string, string>> {
  return { ...(allowed.length > 0 && { may: allowed.join() }), ...(mayNot.length > 0 && { maynot: mayNot.join() }) };
}

export function offerIn(query: Readonly<Record<string, string | undefined>>): Offer {
  const names = (text = "") =>
    text
      .split(",")
      .filter((name) => name !== "")
      .slice(0, mostNamespaces);
  return { may: names(query["may"]), mayNot: names(query["maynot"]) };
}

/** @throws ApiError or ConnectionError when the API server does not say */
export async function isStillSo(signed: SignedIn, { may: allowed, mayNot }: Offer): Promise<boolean> {
  const switchable = await switchableNamespaces(signed, [...allowed, ...mayNot]);
  return allowed.every((name) => switchable.has(name)) && !mayNot.some((name) => switchable.has(name));
}

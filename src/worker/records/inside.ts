import type { IncomingHttpHeaders } from "node:http";

/** Of a request: what its connection and its headers tell of who sends it. */
export interface Sender {
  readonly socket: { readonly remoteAddress?: string | undefined; readonly localAddress?: string | undefined };
  readonly headers: IncomingHttpHeaders;
}

/** A sidecar of a service mesh speaks from other addresses of 127.0.0.0/8, or to the pod's own. */
const loopback: ReadonlySet<string | undefined> = new Set(["127.0.0.1", "::1", "::ffff:127.0.0.1"]);
const localHost = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;
/** Set by proxies, and by browsers for pages. */
const passedOn = ["origin", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"] as const;
/** What a browser says of an address that a person typed; of a picture in a page it sends no origin, but another word here. */
const ownSites: ReadonlySet<string | undefined | string[]> = new Set([undefined, "none", "same-origin"]);

/**
 * Why a request is not taken for one from inside the pod; undefined when it is. What may reach the pod's own loopback
 * address may run programs in it or forward its ports, which Kubernetes grants as pods/exec and pods/portforward. A page in
 * the browser of somebody who forwards the port is told by its origin or by the host that it was led to.
 * @param changes the request changes something, so it must say that it is JSON
 */
export function whyStranger({ socket, headers }: Sender, changes: boolean): string | undefined {
  const isInside = loopback.has(socket.remoteAddress) && loopback.has(socket.localAddress);
  const wasPassedOn = passedOn.some((name) => headers[name] !== undefined);
  const isOfPage = !ownSites.has(headers["sec-fetch-site"]);
  if (!isInside || wasPassedOn || isOfPage || !localHost.test(headers.host ?? "")) {
    return (
      "single records are spoken of only inside the worker's pod: kubectl exec deploy/NAME -- integration-workflow record KEY, " +
      "or kubectl port-forward deploy/NAME 8080 and a call of http://127.0.0.1:8080 without a proxy"
    );
  }
  if (changes && !/^application\/json\s*(;|$)/i.test(headers["content-type"] ?? "")) {
    return "a call that changes something has the header content-type: application/json";
  }
  return undefined;
}

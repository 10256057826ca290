import { expect, it } from "vitest";
import { type Sender, whyStranger } from "../../../../src/worker/records/inside.ts";

const sender = (remoteAddress: string, localAddress: string, headers: Sender["headers"] = {}): Sender => ({
  socket: { remoteAddress, localAddress },
  headers: { host: "127.0.0.1:8080", ...headers },
});
const json = { "content-type": "application/json; charset=utf-8" };

it.each<readonly [what: string, sender: Sender, isLetIn: boolean]>([
  ["kubectl exec and port-forward", sender("127.0.0.1", "127.0.0.1", json), true],
  ["the same on a socket of both families", sender("::ffff:127.0.0.1", "::ffff:127.0.0.1", json), true],
  ["the same over IPv6", sender("::1", "::1", { ...json, host: "[::1]:8080" }), true],
  ["the name localhost", sender("::1", "::1", { ...json, host: "localhost:8080" }), true],
  ["another pod", sender("10.0.0.7", "10.0.0.8", json), false],
  ["the API server's pod proxy", sender("10.0.0.1", "10.0.0.8", json), false],
  ["the pod itself by its own address", sender("10.0.0.8", "10.0.0.8", json), false],
  ["a sidecar that passes on what came from outside", sender("127.0.0.6", "10.0.0.8", json), false],
  ["the same, to the loopback address", sender("127.0.0.6", "127.0.0.1", json), false],
  ["a sidecar that speaks from there to the pod's own address", sender("127.0.0.1", "10.0.0.8", json), false],
  ["a proxy in the pod", sender("127.0.0.1", "127.0.0.1", { ...json, "x-forwarded-for": "10.0.0.7" }), false],
  ["a page in a browser", sender("127.0.0.1", "127.0.0.1", { ...json, origin: "null" }), false],
  ["a name that leads here", sender("127.0.0.1", "127.0.0.1", { ...json, host: "localhost.evil.example" }), false],
  ["a request without a host", sender("127.0.0.1", "127.0.0.1", { ...json, host: undefined }), false],
  ["a form", sender("127.0.0.1", "127.0.0.1", { "content-type": "text/plain" }), false],
])("%s", (_, from, isLetIn) => {
  expect(whyStranger(from, true) === undefined).toBe(isLetIn);
});

it("a question of a page's picture or script is no question of a person", () => {
  const asked = (site: string) => whyStranger(sender("127.0.0.1", "127.0.0.1", { "sec-fetch-site": site }), false);
  expect(asked("cross-site")).toMatch(/inside the worker's pod/);
  expect(asked("none")).toBeUndefined();
});

it("what changes nothing needs no type", () => {
  expect(whyStranger(sender("127.0.0.1", "127.0.0.1"), false)).toBeUndefined();
});

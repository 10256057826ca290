import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { type HttpRequest, Transport, type TransportOptions } from "../../../../src/worker/http/transport.ts";
import { bodyOf, json, type RunningServer, serve } from "./http-server.ts";

const never = new AbortController().signal;
/** With what a deadline's signal ends: here it passes when the test says so. */
const noTimeLeft = () => new DOMException("no time left", "TimeoutError");
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function transport(options: TransportOptions = {}): Transport {
  const made = new Transport(options);
  ends.push(() => made.close());
  return made;
}

async function server(listener: Parameters<typeof serve>[0]): Promise<RunningServer> {
  const running = await serve(listener);
  ends.push(() => running.close());
  return running;
}

const get = (url: string): HttpRequest => ({ method: "GET", url, headers: {} });
const post = (url: string): HttpRequest => ({ method: "POST", url, headers: {}, body: '{"a":1}' });
const send = (request: HttpRequest, options: TransportOptions = {}, signal: AbortSignal = never) =>
  transport(options).send("Dataverse", request, signal);

test("nothing is sent after the end", async () => {
  let asked = 0;
  const { url } = await server((_, response) => {
    asked += 1;
    json(response, 200, {});
  });
  const ended = transport();
  await ended.send("Dataverse", get(url), never);
  await ended.close();
  await expect(ended.send("Dataverse", get(url), never)).rejects.toMatchObject({ code: "Aborted", outcome: "NotSent" });
  expect(asked).toBe(1);
});

describe("an answer", () => {
  test("is given whatever its status, unpacked if it was compressed", async () => {
    const { url } = await server((request, response) => {
      if (request.url === "/gone") return json(response, 410, { gone: true });
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end(gzipSync("hello"));
    });
    expect(await send(get(`${url}/gone`))).toMatchObject({ status: 410 });
    expect((await send(get(`${url}/`))).body.toString()).toBe("hello");
  });

  test("comes to a link exactly as the link is written", async () => {
    const { url } = await server((request, response) => json(response, 200, request.url));
    const path = "/api/x?$select=a&$skiptoken=%3Ccookie%20a=%22%253c'%22%3E&b=%7e'";
    expect(JSON.parse((await send(get(url + path))).body.toString())).toBe(path);
  });

  test("larger than the bound is refused, packed or not", async () => {
    const { url } = await server((request, response) => {
      const large = Buffer.alloc(200_000);
      if (request.url !== "/packed") return response.end(large);
      response.writeHead(200, { "content-encoding": "gzip" });
      return response.end(gzipSync(large));
    });
    const tooLarge = { code: "BadResponse", outcome: "Unknown" };
    await expect(send(get(`${url}/`), { maxResponseBytes: 100_000 })).rejects.toMatchObject(tooLarge);
    await expect(send(get(`${url}/packed`), { maxResponseBytes: 100_000 })).rejects.toMatchObject(tooLarge);
  });

  test("is not redirected: the token would go along", async () => {
    let elsewhere = 0;
    const other = await server((_, response) => json(response, 200, elsewhere++));
    const { url } = await server((_, response) => json(response, 302, {}, { location: other.url }));
    expect((await send(get(url))).status).toBe(302);
    expect(elsewhere).toBe(0);
  });
});

describe("what is known of a call that failed", () => {
  test("nothing was sent when the host is unknown or nothing listens", async () => {
    const unreachable = { code: "Unreachable", outcome: "NotSent" };
    await expect(send(post("http://no-such-host.invalid/"))).rejects.toMatchObject(unreachable);
    const { url, close } = await serve(() => {});
    await close();
    await expect(send(post(url))).rejects.toMatchObject(unreachable);
  });

  test("nothing was sent when the signal had ended before, or while the call waited for a connection", async () => {
    const paths: (string | undefined)[] = [];
    const { url } = await server((request, response) => {
      paths.push(request.url);
      if (request.url === "/third") json(response, 200, {});
    });
    await expect(send(post(url), {}, AbortSignal.abort())).rejects.toMatchObject({
      code: "Aborted",
      outcome: "NotSent",
    });
    const one = transport({ connectionsPerHost: 1 });
    const deadline = new AbortController();
    const first = one.send("Campaign", post(`${url}/first`), deadline.signal);
    first.catch(() => {});
    await expect.poll(() => paths).toEqual(["/first"]);
    const second = one.send("Campaign", post(`${url}/second`), AbortSignal.timeout(50));
    await expect(second).rejects.toMatchObject({ code: "TimedOut", outcome: "NotSent" });
    const third = one.send("Campaign", post(`${url}/third`), never);
    deadline.abort(noTimeLeft());
    await expect(first).rejects.toMatchObject({ code: "TimedOut", outcome: "Unknown" });
    expect((await third).status).toBe(200);
    expect(paths).toEqual(["/first", "/third"]);
  });

  test("the outcome is unknown when the connection breaks after the sending", async () => {
    const { url } = await server(async (request) => {
      await bodyOf(request);
      request.socket.resetAndDestroy();
    });
    await expect(send(post(url))).rejects.toMatchObject({ code: "ConnectionLost", outcome: "Unknown" });
  });

  test("the outcome is unknown when the answer is cut short, by length or in chunks", async () => {
    const { url } = await server((request, response) => {
      if (request.url === "/length") response.writeHead(200, { "content-length": "100" });
      response.write('{"PKey":"@a');
      setTimeout(() => response.destroy(), 20);
    });
    const lost = { code: "ConnectionLost", outcome: "Unknown" };
    await expect(send(post(`${url}/length`))).rejects.toMatchObject(lost);
    await expect(send(post(`${url}/chunks`))).rejects.toMatchObject(lost);
  });

  test("the outcome is unknown when a packed answer is broken", async () => {
    const { url } = await server((_, response) => {
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end(gzipSync("hello").subarray(0, 15));
    });
    await expect(send(post(url))).rejects.toMatchObject({ code: "BadResponse", outcome: "Unknown" });
  });

  test("the outcome is unknown when no answer comes in time, or none to the end", async () => {
    const deadline = new AbortController();
    const { url } = await server((request, response) => {
      if (request.url === "/half") response.write("half");
      if (request.url === "/deadline") deadline.abort(noTimeLeft());
    });
    const late = { code: "TimedOut", outcome: "Unknown" };
    await expect(send(post(`${url}/never`), { headersTimeoutSeconds: 0.1 })).rejects.toMatchObject(late);
    await expect(send(post(`${url}/half`), { bodyTimeoutSeconds: 0.1 })).rejects.toMatchObject(late);
    await expect(send(post(`${url}/deadline`), {}, deadline.signal)).rejects.toMatchObject(late);
  });

  test("the outcome is unknown when the caller gives up a call under way", async () => {
    const controller = new AbortController();
    const { url } = await server(() => controller.abort(new Error("stopping")));
    await expect(send(post(url), {}, controller.signal)).rejects.toMatchObject({ code: "Aborted", outcome: "Unknown" });
  });
});

describe.skipIf(spawnSync("openssl", ["version"]).status !== 0)("a server with a certificate of a private CA", () => {
  test("is not trusted, nothing is sent, and the message says what helps; with the CA bundle it answers", async () => {
    const directory = await mkdtemp(join(tmpdir(), "transport-"));
    ends.push(() => rm(directory, { recursive: true }));
    const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    spawnSync("openssl", ["req", "-x509", ...curve, "-nodes", "-days", "2", "-keyout", key, "-out", cert, ...subject]);
    let calls = 0;
    const https = createServer({ key: await readFile(key), cert: await readFile(cert) }, (_, response) => {
      calls++;
      response.end("{}");
    });
    await new Promise<void>((resolve) => {
      https.listen(0, "127.0.0.1", resolve);
    });
    ends.push(() => new Promise((resolve) => https.close(resolve)));
    const url = `https://localhost:${(https.address() as AddressInfo).port}/`;
    const refused = send(post(url));
    await expect(refused).rejects.toMatchObject({ code: "Unreachable", outcome: "NotSent" });
    await expect(refused).rejects.toThrow("spec.caBundle");
    expect(calls).toBe(0);
    expect((await send(post(url), { caBundle: await readFile(cert, "utf8") })).status).toBe(200);
  });
});

import { afterEach, describe, expect, test } from "vitest";
import { type HttpOptions, type HttpServers, serveHttp } from "../../../src/operator/shell/http.ts";

let servers: HttpServers | undefined;
afterEach(() => servers?.close());

const anyPort = { host: "127.0.0.1", port: 0 };

async function serve(options: Partial<HttpOptions> = {}): Promise<{ health: string; metrics: string }> {
  servers = await serveHttp({
    healthAddress: anyPort,
    metricsAddress: anyPort,
    health: { live: () => undefined, ready: () => "pods was not listed yet" },
    metrics: () => ["a 1\n", "b 2\n"],
    ...options,
  });
  const { health = "", metrics = "" } = servers.addresses;
  return { health, metrics };
}

async function seen(url: string, method = "GET") {
  const response = await fetch(url, { method });
  return [response.status, response.headers.get("content-type"), await response.text()];
}

const plain = "text/plain; charset=utf-8";

describe("the operator's addresses", () => {
  test("health and metrics are told apart, with why it is not ready", async () => {
    const { health, metrics } = await serve();
    expect(health).not.toBe(metrics);
    expect(await seen(`${health}/livez`)).toEqual([200, plain, "ok"]);
    expect(await seen(`${health}/readyz?verbose`)).toEqual([503, plain, "pods was not listed yet"]);
    expect(await seen(`${metrics}/metrics`)).toEqual([200, "text/plain; version=0.0.4; charset=utf-8", "a 1\nb 2\n"]);
  });

  test("HEAD is answered without the text, everything else is refused with what there is", async () => {
    const { health, metrics } = await serve();
    expect(await seen(`${health}/livez`, "HEAD")).toEqual([200, plain, ""]);
    expect((await seen(`${metrics}/metrics`, "HEAD")).slice(2)).toEqual([""]);
    expect(await seen(`${health}/livez`, "POST")).toEqual([405, plain, "only GET and HEAD are answered"]);
    expect(await seen(`${health}/metrics`)).toEqual([404, plain, "here is /livez, /readyz"]);
    expect((await seen(`${metrics}/`))[0]).toBe(404);
  });

  test("one address may be both; one may be nowhere", async () => {
    const { health } = await serve({ metricsAddress: undefined });
    const port = Number(new URL(health).port);
    await servers?.close();
    const one = { host: "127.0.0.1", port };
    const both = await serve({ healthAddress: one, metricsAddress: one });
    expect(both.health).toBe(both.metrics);
    expect(await seen(`${both.health}/livez`)).toEqual([200, plain, "ok"]);
    expect((await seen(`${both.health}/metrics`))[2]).toBe("a 1\nb 2\n");
  });

  test("an address in use is an error, and leaves nothing open", async () => {
    const { health } = await serve({ metricsAddress: undefined });
    const taken = { host: "127.0.0.1", port: Number(new URL(health).port) };
    const failing = serveHttp({
      healthAddress: anyPort,
      metricsAddress: taken,
      health: { live: () => undefined, ready: () => undefined },
      metrics: () => [],
    });
    await expect(failing).rejects.toMatchObject({ code: "EADDRINUSE" });
  });

  test("metrics that break off are no answer, and the next ones are", async () => {
    let isBroken = true;
    const { metrics } = await serve({
      metrics: function* () {
        yield "a 1\n";
        if (isBroken) throw new Error("broken");
        yield "b 2\n";
      },
    });
    await expect(seen(`${metrics}/metrics`)).rejects.toThrow();
    isBroken = false;
    expect((await seen(`${metrics}/metrics`))[2]).toBe("a 1\nb 2\n");
  });
});

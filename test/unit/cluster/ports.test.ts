import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { freePort } from "../../../cluster/ports.ts";

/** The same dice for everybody who asks. */
const dice = (...throws: readonly number[]) => {
  const left = throws.values();
  return () => left.next().value ?? 0.999;
};

test("two who ask in one moment get two ports", async () => {
  const ports = await Promise.all([freePort(dice(0.25, 0.26)), freePort(dice(0.25, 0.27))]);
  expect(new Set(ports).size).toBe(2);
});

test("a port that was given stays its process's until that ends", async () => {
  const given = await freePort(dice(0.5, 0.51));
  expect(await freePort(dice(0.5, 0.52))).not.toBe(given);
  const script = `import { freePort } from "./cluster/ports.ts";
    const left = ${JSON.stringify([0.5, 0.53])};
    console.log(await freePort(() => left.shift()));`;
  const askOther = () => Number(spawnSync(process.execPath, ["-e", script], { encoding: "utf8" }).stdout);
  const others = askOther();
  expect(others).not.toBe(given);
  expect(askOther()).toBe(others);
});

test("a port that somebody listens on is not given", async () => {
  const server = createServer().listen(await freePort(dice(0.75, 0.76)), "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const at = (port - 20_000 + 0.5) / 12_000;
  expect(await freePort(dice(at, 0.77))).not.toBe(port);
  server.close();
});

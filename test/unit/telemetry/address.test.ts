import fc from "fast-check";
import { expect, test } from "vitest";
import { parseListenAddress } from "../../../src/telemetry/address.ts";

test.each([
  [":8080", { port: 8080 }],
  ["127.0.0.1:8080", { host: "127.0.0.1", port: 8080 }],
  ["localhost:0", { host: "localhost", port: 0 }],
  ["[::1]:8080", { host: "::1", port: 8080 }],
  ["[::]:65535", { host: "::", port: 65_535 }],
])("%s is an address to listen on", (text, address) => {
  expect(parseListenAddress(text)).toEqual(address);
});

test("0 means that the server is off", () => {
  expect(parseListenAddress("0")).toBeUndefined();
});

test.each(["", "8080", ":", ":http", ":65536", "::1:8080", "[::1]", "[]:80", ":-1", "1", "http://localhost:80"])(
  "%j is refused with the forms that are taken",
  (text) => {
    expect(() => parseListenAddress(text)).toThrow(RangeError);
    expect(() => parseListenAddress(text)).toThrow("write :8080, 127.0.0.1:8080, [::1]:8080, or 0 for none");
  },
);

test("every IPv4 and IPv6 address with a port is taken as it stands", () => {
  const port = fc.integer({ min: 0, max: 65_535 });
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), port, (host, number) => {
      const text = host.includes(":") ? `[${host}]:${number}` : `${host}:${number}`;
      expect(parseListenAddress(text)).toEqual({ host, port: number });
    }),
  );
});

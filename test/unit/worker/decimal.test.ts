import fc from "fast-check";
import { expect, test } from "vitest";
import { compareDecimals, plainDecimal } from "../../../src/worker/decimal.ts";

test.each([
  ["+01.50e3", "1500"],
  ["-0.00", "0"],
  ["-0e5", "0"],
  [".5", "0.5"],
  ["5.", "5"],
  ["1.25E-7", "0.000000125"],
  ["-12.340e1", "-123.4"],
  ["9007199254740993.10", "9007199254740993.1"],
])("%s is %s", (text, plain) => {
  expect(plainDecimal(text)).toBe(plain);
});

test.each(["", ".", "-", "e5", "1e", "1,5", "0x10", " 1", "NaN", "Infinity", "1e309", "1e-401", "1e-999999999"])(
  "%j is no number that a column holds",
  (text) => {
    expect(plainDecimal(text)).toBeUndefined();
  },
);

test("the order is the numbers' own, and of every three it is one", () => {
  const number = fc.double({ noNaN: true, noDefaultInfinity: true });
  const plain = (value: number) => plainDecimal(String(value)) ?? "";
  fc.assert(
    fc.property(number, number, (one, other) => {
      const sign = Math.sign(compareDecimals(plain(one), plain(other)));
      expect(sign).toBe(one < other ? -1 : one > other ? 1 : 0);
      expect(Math.sign(compareDecimals(plain(other), plain(one))) + sign).toBe(0);
    }),
  );
});

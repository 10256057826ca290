/** Decimal numbers as texts: exact where a double is not. Pure. */

const pattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?$/i;

/**
 * A number's digits as people write them: no exponent, no plus, no zeros that say nothing (`+01.50e3` is `1500`, `-0` is
 * `0`). Of two texts of the same number it makes the same. `undefined`: no number, or one beyond a double's range.
 */
export function plainDecimal(text: string): string | undefined {
  const [, sign, whole = "", fraction = "", exponent = "0"] = pattern.exec(text) ?? [];
  if (sign === undefined || whole + fraction === "" || !Number.isFinite(Number(text))) return undefined;
  const shift = Number(exponent);
  if (Math.abs(shift) > 400) return undefined; // Nothing that a column holds: its digits would only fill the memory.
  const digits = whole + fraction;
  const point = whole.length + shift;
  const integer = point <= 0 ? "" : digits.slice(0, point).padEnd(point, "0").replace(/^0+/, "");
  const rest = point <= 0 ? digits.padStart(digits.length - point, "0") : digits.slice(point);
  const decimals = withoutTrailingZeros(rest);
  const plain = (integer === "" ? "0" : integer) + (decimals === "" ? "" : `.${decimals}`);
  return sign === "-" && plain !== "0" ? `-${plain}` : plain;
}

/** Negative, zero or positive as `one` is less than, equal to or greater than `other`; both made by `plainDecimal`. */
export function compareDecimals(one: string, other: string): number {
  if (one === other) return 0;
  const isNegative = one.startsWith("-");
  if (isNegative !== other.startsWith("-")) return isNegative ? -1 : 1;
  const [left, right] = isNegative ? [other.slice(1), one.slice(1)] : [one, other];
  const [leftWhole = "", leftRest = ""] = left.split(".");
  const [rightWhole = "", rightRest = ""] = right.split(".");
  if (leftWhole.length !== rightWhole.length) return leftWhole.length - rightWhole.length;
  // Digit by digit: a shorter fraction that the longer one begins with is the lesser.
  return `${leftWhole}.${leftRest}` < `${rightWhole}.${rightRest}` ? -1 : 1;
}

/** A pattern would look at every run of zeros from each of its zeros. */
function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits[end - 1] === "0") end--;
  return digits.slice(0, end);
}

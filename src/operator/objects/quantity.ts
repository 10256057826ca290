const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/**
 * The value of a quantity such as `1Gi`; good to compare sizes by.
 * @returns undefined for what is no quantity. Source: k8s.io/apimachinery/pkg/api/resource
 */
export function quantityValue(text: string): number | undefined {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]{0,2})$/.exec(text);
  const factor = factors[match?.[2] ?? ""];
  return match === null || factor === undefined ? undefined : Number(match[1]) * factor;
}

const decimalSuffixes = ["m", "", "k", "M", "G", "T", "P", "E"];
const binarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/** What a suffix multiplies by, over a billion. */
const billionths: Readonly<Record<string, bigint>> = {
  n: 1n,
  u: 10n ** 3n,
  m: 10n ** 6n,
  ...Object.fromEntries(
    ["", "k", "M", "G", "T", "P", "E"].map((suffix, index) => [suffix, 10n ** BigInt(9 + 3 * index)]),
  ),
  ...Object.fromEntries(
    binarySuffixes.slice(1).map((suffix, index) => [suffix, 10n ** 9n * 1024n ** BigInt(index + 1)]),
  ),
};

/**
 * A request or limit in the one form in which the API server keeps it: `0.5` is `500m`, `1024Mi` is `1Gi`, and what is finer
 * than a thousandth is rounded up.
 * @returns the same text for what has a sign or an exponent, or is no quantity. Source: k8s.io/apimachinery/pkg/api/resource
 * (CanonicalizeBytes), SetDefaults_ResourceList in k8s.io/api/core/v1
 */
export function canonicalQuantity(text: string): string {
  const [, whole = "", fraction = "", suffix = ""] = /^(\d*)\.?(\d*)([numkMGTPE]|[KMGTPE]i)?$/.exec(text) ?? [];
  const factor = billionths[suffix];
  if (whole + fraction === "" || factor === undefined) return text;
  const divisor = 10n ** BigInt(6 + fraction.length);
  const thousandths = (BigInt(whole + fraction) * factor + divisor - 1n) / divisor;
  if (thousandths === 0n) return "0";
  const isBinary = suffix.endsWith("i") && thousandths % 1000n === 0n && thousandths >= 1_024_000n;
  return isBinary
    ? shortened(thousandths / 1000n, 1024n, binarySuffixes)
    : shortened(thousandths, 1000n, decimalSuffixes);
}

/** With the largest suffix that leaves it whole. */
function shortened(value: bigint, factor: bigint, suffixes: readonly string[]): string {
  let [left, times] = [value, 0];
  while (times < suffixes.length - 1 && left % factor === 0n) {
    left /= factor;
    times += 1;
  }
  return `${left}${suffixes[times]}`;
}

/** Durations and sizes as people write them in manifests, and the numbers that they stand for. */

/** Go's duration syntax without signs and without units below a millisecond. */
export const DURATION = /^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$/;

/** A Kubernetes quantity without exponents, signs and fractions of one. */
export const QUANTITY = /^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$/;

const NANOSECONDS = { ms: 1_000_000n, s: 1_000_000_000n, m: 60_000_000_000n, h: 3_600_000_000_000n } as const;

const FACTORS = {
  "": 1n,
  k: 10n ** 3n,
  M: 10n ** 6n,
  G: 10n ** 9n,
  T: 10n ** 12n,
  Ki: 2n ** 10n,
  Mi: 2n ** 20n,
  Gi: 2n ** 30n,
  Ti: 2n ** 40n,
} as const;

export type Quantity = string | number;

/**
 * Milliseconds of a duration such as `30s`, `1h30m` or `1.5s`, rounded up to a whole one.
 * Throws a `RangeError` that quotes the text when it is not a duration.
 */
export function parseDuration(text: string): number {
  if (!DURATION.test(text)) throw new RangeError(`${JSON.stringify(text)} is not a duration such as 30s or 1h30m`);
  let nanoseconds = 0n;
  for (const [, number = "", unit = ""] of text.matchAll(/([0-9.]+)(ms|s|m|h)/g)) {
    nanoseconds += scale(number, NANOSECONDS[unit as keyof typeof NANOSECONDS]);
  }
  return Number(divideUp(nanoseconds, 1_000_000n));
}

/**
 * Bytes of a quantity such as `64Ki`, `1.5M` or 65536, rounded up to a whole one.
 * Throws a `RangeError` that quotes the value when it is not a size.
 */
export function parseQuantity(value: Quantity): number {
  const text = String(value);
  const suffix = QUANTITY.exec(text)?.[2] ?? "";
  if (!QUANTITY.test(text)) throw new RangeError(`${JSON.stringify(value)} is not a size such as 64Ki or 65536`);
  return Number(scale(text.slice(0, text.length - suffix.length), FACTORS[suffix as keyof typeof FACTORS]));
}

/** Milliseconds, or NaN where the text is not a duration: every comparison with NaN is false. */
export function durationOrNaN(text: string): number {
  return DURATION.test(text) ? parseDuration(text) : Number.NaN;
}

/** Bytes, or NaN where the text is not a size; a number is itself, also where it is below zero. */
export function quantityOrNaN(value: Quantity): number {
  if (typeof value === "number") return value;
  return QUANTITY.test(value) ? parseQuantity(value) : Number.NaN;
}

/** A decimal number times a unit, rounded up; exact, because floating point is not (1.1 × 1000 > 1100). */
function scale(decimal: string, unit: bigint): bigint {
  const [whole = "0", fraction = ""] = decimal.split(".");
  const denominator = 10n ** BigInt(fraction.length);
  return divideUp((BigInt(whole) * denominator + BigInt(fraction || "0")) * unit, denominator);
}

function divideUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

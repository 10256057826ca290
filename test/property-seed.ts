/** Makes every property test draw the same examples in every run; PROPERTY_SEED draws others. */
import fc from "fast-check";

export const propertySeed = Number(process.env["PROPERTY_SEED"] ?? 1);
if (!Number.isInteger(propertySeed)) throw new RangeError("PROPERTY_SEED must be a whole number");
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: propertySeed });

/** What the buttons inside the form do to the spec that it says: rows that are added and taken away, and more. Pure. */
import { isRecord } from "../../api/json.ts";
import { emptyOf, segmentsOf, shapeAt } from "./shape.ts";

type Spec = Readonly<Record<string, unknown>>;

/**
 * @param deed `add:PATH`, `remove:PATH`, `replay:PATH`, `on:PATH` or `off:PATH`, as the form's buttons say it
 * @param stamp a value that no replay has had
 * @returns undefined for what is none of these, or names a place that is not there
 */
export function afterDeed(spec: Spec, deed: string, stamp: string): Spec | undefined {
  const [, verb = "", path = ""] = deed.match(/^([a-z]+):(spec\.[\w.[\]]+)$/) ?? [];
  const shape = shapeAt(path);
  if (shape === undefined) return undefined;
  const whole = structuredClone(spec) as Record<string, unknown>; // Plain JSON.
  const segments = segmentsOf(path).slice(1);
  const place = placeOf(whole, segments.slice(0, -1));
  const last = segments.at(-1) ?? "";
  if (place === undefined) return undefined;
  const at: unknown = Reflect.get(place, last);
  if (verb === "add") {
    const { items } = shape;
    if (items === undefined) Reflect.set(place, last, emptyOf(shape));
    else Reflect.set(place, last, [...(Array.isArray(at) ? at : []), emptyOf(items)]);
  } else if (verb === "remove") {
    if (Array.isArray(place)) place.splice(Number(last), 1);
    else Reflect.deleteProperty(place, last);
  } else if (verb === "replay") Reflect.set(place, last, stamp);
  else if ((verb === "on" || verb === "off") && Array.isArray(at)) {
    for (const entry of at) if (isRecord(entry)) Reflect.set(entry, "applyUpdates", verb === "on");
  } else return undefined;
  return whole;
}

function placeOf(value: unknown, segments: readonly string[]): object | undefined {
  let place = value;
  for (const segment of segments) {
    if (typeof place !== "object" || place === null || !Object.hasOwn(place, segment)) return undefined;
    place = Reflect.get(place, segment);
  }
  return typeof place === "object" && place !== null ? place : undefined;
}

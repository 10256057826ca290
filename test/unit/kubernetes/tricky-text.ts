import fc from "fast-check";

/** Texts that are made of pieces which whoever takes JSON apart by its text could stumble over, and any others. */
export function trickyText(...pieces: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.constantFrom(...pieces);
  const several = fc.array(piece, { maxLength: 4 }).map((parts) => parts.join(""));
  return fc.oneof(fc.string(), piece, several);
}

/** Metadata with such texts. */
export function metadataOf(text: fc.Arbitrary<string>) {
  return fc.record({ name: text, labels: fc.dictionary(text, text, { maxKeys: 2 }) });
}

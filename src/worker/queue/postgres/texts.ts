/**
 * PostgreSQL stores no NUL character and no half of a surrogate pair, and one such key would stop the page that it is on.
 * Escaped texts are equal when the texts are.
 */
const unstorable = /[\\\0]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;
const escapes = /\\([0-9a-f]{4})/g;

export function escaped(text: string): string {
  return text.replace(unstorable, (character) => `\\${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export function unescaped(text: string): string {
  return text.replace(escapes, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

/**
 * HTML as a type of its own. A template escapes whatever is put into it, unless it is Html already; there is no other way to
 * make Html, so a value of somebody else's cannot become markup. (Template engines leave that to an exclamation mark.)
 */
export class Html {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }

  static from(strings: TemplateStringsArray, values: readonly HtmlValue[]): Html {
    return new Html(
      strings.map((text, index) => (index === 0 ? text : `${written(values[index - 1])}${text}`)).join(""),
    );
  }
}

/** false, null and undefined write nothing. */
export type HtmlValue = Html | string | number | false | null | undefined | readonly HtmlValue[];

/** Values stand between tags or inside quoted attributes; nowhere else. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return Html.from(strings, values);
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function written(value: HtmlValue): string {
  if (value instanceof Html) return value.toString();
  if (value === false || value === null || value === undefined) return "";
  if (typeof value === "object") return value.map(written).join("");
  return String(value).replace(/[&<>"']/g, (sign) => entities[sign] ?? sign);
}

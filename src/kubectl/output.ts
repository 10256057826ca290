import { styleText } from "node:util";
import { dump } from "js-yaml";

export const forms = ["json", "yaml", "wide"] as const;
export type Form = (typeof forms)[number];

/** Where a command speaks. Tests give their own. */
export interface Voice {
  readonly out: NodeJS.WriteStream;
  readonly err: NodeJS.WriteStream;
}

type Style = "bold" | "red" | "yellow" | "green" | "dim";

/** Colours on a terminal alone; NO_COLOR and FORCE_COLOR are heeded. */
export function styled({ out }: Pick<Voice, "out">, style: Style, text: string): string {
  return styleText(style, text, { stream: out, validateStream: true });
}

/** How many columns the terminal has; undefined: it is none, and nobody is to be spared long lines. */
export function widthOf({ out }: Pick<Voice, "out">): number | undefined {
  return out.isTTY ? out.columns : undefined;
}

/** For a program, not for a person. */
export function isData(form: Form | undefined): form is "json" | "yaml" {
  return form === "json" || form === "yaml";
}

export function asData(form: "json" | "yaml", value: unknown): string {
  return form === "json" ? `${JSON.stringify(value, undefined, 2)}\n` : dump(value, { lineWidth: -1, noRefs: true });
}

const colours: Readonly<Record<string, Style>> = {
  FAILED: "red",
  STARTING: "yellow",
  RUNNING: "green",
  STOPPED: "dim",
};

export function state(voice: Pick<Voice, "out">, word: string): string {
  const style = colours[word];
  return style === undefined ? word : styled(voice, style, word);
}

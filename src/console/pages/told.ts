import { type Html, html } from "../html.ts";

const isoTime = /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z/;

/** A sentence of the operator's, its times as people read them: `11:35 UTC` today, else with the day. */
export function told(text: string, nowMs: number): Html {
  const parts: Html[] = [];
  let rest = text;
  for (let found = isoTime.exec(rest); found !== null; found = isoTime.exec(rest)) {
    const [time] = found;
    parts.push(html`${rest.slice(0, found.index)}<span title="${time}">${readable(time, nowMs)}</span>`);
    rest = rest.slice(found.index + time.length);
  }
  return html`<bdi>${parts}${rest}</bdi>`;
}

function readable(time: string, nowMs: number): string {
  const atMs = Date.parse(time);
  if (Number.isNaN(atMs)) return time;
  const text = new Date(atMs).toISOString();
  const clock = `${text.slice(11, 16)} UTC`;
  return text.slice(0, 10) === new Date(nowMs).toISOString().slice(0, 10) ? clock : `${text.slice(0, 10)} ${clock}`;
}

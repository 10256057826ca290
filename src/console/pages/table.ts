import { type Html, html } from "../html.ts";

/** Figures stand under each other by their last digit. */
export interface FigureColumn {
  readonly figure: string;
}
type Column = string | FigureColumn;

/**
 * The first cell of a row names it. Wide tables scroll by themselves, so that the page does not; on a narrow screen each row
 * is a block of its own, and every cell carries its title.
 */
export function table(columns: readonly Column[], rows: readonly (readonly (string | Html)[])[], label: string): Html {
  const titles = columns.map((column) => (typeof column === "string" ? column : column.figure));
  const isFigure = columns.map((column) => typeof column !== "string");
  return html`<div class="scroller" role="region" aria-label="${label}" tabindex="0"><table class="spectrum-Table spectrum-Table--sizeS"><thead class="spectrum-Table-head"><tr>
${titles.map((title, index) =>
  title === ""
    ? html`<td class="spectrum-Table-headCell"></td>`
    : html`<th scope="col" class="spectrum-Table-headCell${isFigure[index] && " number"}">${title}</th>`,
)}</tr></thead>
<tbody class="spectrum-Table-body">${rows.map(
    (cells) =>
      html`<tr class="spectrum-Table-row">${cells.map((cell, index) =>
        index === 0
          ? html`<th scope="row" class="spectrum-Table-cell">${cell}</th>`
          : html`<td class="spectrum-Table-cell${isFigure[index] && " number"}" data-title="${titles[index]}">${cell}</td>`,
      )}</tr>`,
  )}</tbody></table></div>`;
}

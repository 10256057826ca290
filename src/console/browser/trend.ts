/** The backlog as it went since the page was opened: a line beside the number. */

interface Point {
  readonly atMs: number;
  readonly backlog: number;
}

const history = new WeakMap<HTMLElement, Point[]>();
const mostPoints = 120;
const width = 80;
const height = 20;

export function noteBacklog(element: HTMLElement): void {
  const backlog = Number(element.querySelector<HTMLElement>("[data-backlog]")?.dataset["backlog"] || Number.NaN);
  if (Number.isNaN(backlog)) return;
  const points = history.get(element) ?? [];
  points.push({ atMs: Date.now(), backlog });
  history.set(element, points.slice(-mostPoints));
}

export function drawTrend(element: HTMLElement): void {
  const points = history.get(element) ?? [];
  const figure = element.querySelector<HTMLElement>("[data-backlog]");
  const [first, last] = [points[0], points.at(-1)];
  if (figure === null || first === undefined || last === undefined || points.length < 2) return;
  const most = Math.max(1, ...points.map(({ backlog }) => backlog));
  const span = Math.max(1, last.atMs - first.atMs);
  const path = points
    .map(({ atMs, backlog }, index) => {
      const x = (((atMs - first.atMs) / span) * (width - 2) + 1).toFixed(1);
      const y = (height - 2 - (backlog / most) * (height - 4)).toFixed(1);
      return `${index === 0 ? "M" : "L"}${x} ${y}`;
    })
    .join("");
  figure.parentElement?.querySelector(".trend")?.remove();
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  picture.setAttribute("class", "trend");
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  picture.setAttribute("role", "img");
  const direction = last.backlog < first.backlog ? "falls" : last.backlog > first.backlog ? "grows" : "stays";
  picture.setAttribute("aria-label", `it ${direction}`);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  picture.append(line);
  figure.after(picture);
}

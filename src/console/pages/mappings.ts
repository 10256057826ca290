import type { MappingStatus } from "../../api/integration-workflow.ts";
import { inWords } from "../../steering/outlook.ts";
import type { LiveWorkflow } from "../../steering/workflow.ts";
import { type Html, html } from "../html.ts";
import { statusTexts } from "../status-texts.ts";
import { texts } from "../texts.ts";
import { moment } from "./layout.ts";
import { table } from "./table.ts";

const columns = [
  texts.name,
  statusTexts.phase,
  { figure: texts.backlog },
  { figure: statusTexts.read },
  { figure: statusTexts.written },
  { figure: statusTexts.refused },
  statusTexts.drift,
  texts.lastSync,
];

/** How each mapping does. */
export function mappingsPart(workflow: LiveWorkflow, nowMs: number): Html {
  const { mappings = [] } = workflow.status ?? {};
  if (mappings.length === 0) return html``;
  return html`<h2 class="spectrum-Heading spectrum-Heading--sizeS">${texts.mappings}</h2>
${table(
  columns,
  mappings.map((mapping) => [
    html`<bdi>${mapping.name}</bdi>`,
    withSub(mapping.phase ?? "", phaseDetail(mapping)),
    withSub(figure(mapping.backlog), backlogDetail(mapping)),
    withSub(figure(mapping.reading?.read ?? mapping.read), readDetail(mapping)),
    withSub(
      figure(mapping.written),
      mapping.recordsPerSecond && statusTexts.perSecond(figure(mapping.recordsPerSecond)),
    ),
    figure(mapping.deadLettered),
    fits(workflow, mapping),
    moment(mapping.lastSyncTime, nowMs, texts.never),
  ]),
  texts.mappings,
)}`;
}

function withSub(text: string, sub: string | 0 | undefined): Html {
  return html`<bdi>${text}</bdi>${Boolean(sub) && html`<span class="sub">${sub}</span>`}`;
}

function phaseDetail({ reason, reading }: MappingStatus): string | undefined {
  if (reason !== undefined) return reason;
  return reading?.waitsFor === undefined ? undefined : statusTexts.waitsFor(reading.waitsFor);
}

function backlogDetail({ backlog = 0, parked = 0, secondsToDrain }: MappingStatus): string | undefined {
  const drains = backlog === 0 || secondsToDrain === undefined ? [] : [texts.drains(inWords(secondsToDrain))];
  return [...drains, ...(parked === 0 ? [] : [statusTexts.parked(figure(parked))])].join(", ") || undefined;
}

function readDetail({ reading }: MappingStatus): string | undefined {
  return reading?.estimatedTotal === undefined ? undefined : statusTexts.ofTotal(figure(reading.estimatedTotal));
}

/** The condition names each mapping that does not fit, first of its words. */
function fits({ status }: LiveWorkflow, { name }: MappingStatus): string {
  const drift = status?.conditions?.find(({ type }) => type === "SchemaDrift");
  if (drift === undefined) return statusTexts.notCompared;
  const isNamed = drift.message.includes(`. ${name}: `) || drift.message.includes(`; ${name}: `);
  return drift.status === "True" && isNamed ? statusTexts.fitsNot : statusTexts.fits;
}

function figure(value: number | undefined): string {
  return value === undefined ? "" : value.toLocaleString("en-US");
}

import Type, { type TProperties, type TSchema } from "typebox";
import { fieldTypes } from "../campaign/schema.ts";
import { columnTypes } from "../dataverse/schema.ts";
import { sftpStates } from "../sftp/connections.ts";
import { fileEncodings, type SandboxControl } from "./interface.ts";

/** The input of every control method, as JSON Schema. */

const object = (properties: TProperties) => Type.Object(properties, { additionalProperties: false });
const optional = <T extends TSchema>(schema: T) => Type.Optional(schema);
const oneOf = (values: readonly string[]) => Type.Unsafe<string>({ type: "string", enum: [...values] });
const text = Type.String({ minLength: 1 });
const texts = Type.Array(text);
const count = Type.Integer({ minimum: 0 });
const guid = Type.String({ pattern: "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$" });
const cell = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null(), object({ table: text, id: guid })]);
const cells = Type.Record(Type.String(), cell);
const values = Type.Record(Type.String(), Type.Unknown());
const side = oneOf(["dataverse", "campaign"]);
const choice = object({ value: Type.Integer(), label: Type.String() });
const none = object({});

const column = object({
  name: Type.String({ pattern: "^[a-z][a-z0-9_]*$" }),
  type: oneOf(columnTypes),
  label: optional(text),
  maxLength: optional(count),
  options: optional(Type.Array(choice)),
  dateTimeBehavior: optional(oneOf(["UserLocal", "DateOnly", "TimeZoneIndependent"])),
  dateTimeFormat: optional(oneOf(["DateOnly", "DateAndTime"])),
  targets: optional(texts),
  navigation: optional(Type.Record(Type.String(), object({ property: optional(text), collection: optional(text) }))),
  readOnly: optional(Type.Boolean()),
  predecessors: optional(count),
});
const table = object({
  name: Type.String({ pattern: "^[a-z][a-z0-9_]*$" }),
  entitySet: text,
  primaryId: text,
  primaryName: text,
  changeTracking: Type.Boolean(),
  keys: Type.Array(texts),
  columns: Type.Array(column),
  isActivity: optional(Type.Boolean()),
  bulkMessages: optional(Type.Boolean()),
  predecessors: optional(count),
});

const plainField = {
  name: Type.String({ pattern: "^[A-Za-z][A-Za-z0-9_]*$" }),
  type: oneOf(fieldTypes),
  label: optional(text),
  maxLength: optional(count),
  values: optional(texts),
  target: optional(text),
  dataPolicy: optional(oneOf(["none", "email", "smartCase", "upperCase", "lowerCase"])),
  mandatory: optional(Type.Boolean()),
  readOnly: optional(Type.Boolean()),
  timed: optional(Type.Boolean()),
  extended: optional(Type.Boolean()),
};
const field = object({ ...plainField, fields: optional(Type.Array(object(plainField))) });
const resource = object({
  name: Type.String({ pattern: "^cus[A-Z][A-Za-z0-9]*$" }),
  label: text,
  schema: text,
  endpoints: Type.Array(oneOf(["profileAndServicesExt", "customResources"]), { minItems: 1, maxItems: 1 }),
  fields: Type.Array(field),
  keys: texts,
  filters: optional(Type.Array(object({ name: text, parameters: Type.Array(object({ name: text, field: text })) }))),
});

const action = Type.Union([
  object({
    kind: Type.Literal("status"),
    status: Type.Integer({ minimum: 200, maximum: 599 }),
    body: optional(Type.String()),
    headers: optional(Type.Record(Type.String(), Type.String())),
  }),
  object({ kind: Type.Literal("slow"), milliseconds: count }),
  object({ kind: oneOf(["reset", "blackHole", "truncate", "loseAnswerAfterWrite", "tokenExpired"]) }),
]);

const number = Type.Number({ minimum: 0 });
const rate = Type.Number({ minimum: 0, maximum: 1 });

export const inputSchemas: Readonly<Record<keyof SandboxControl, TSchema>> = {
  tables: none,
  addTable: object({ table }),
  dropTable: object({ table: text }),
  setOption: object({ table: text, column: text, option: choice }),
  dropOption: object({ table: text, column: text, value: Type.Integer() }),
  setColumn: object({ table: text, column, expireTokens: optional(Type.Boolean()) }),
  dropColumn: object({ table: text, column: text, expireTokens: optional(Type.Boolean()) }),
  setChangeTracking: object({ table: text, enabled: Type.Boolean() }),
  setAlternateKeys: object({ table: text, keys: Type.Array(texts) }),
  rows: object({ table: text }),
  row: object({ table: text, id: guid }),
  countRows: object({ table: text }),
  insertRows: object({ table: text, rows: Type.Array(object({ id: optional(guid), cells })) }),
  updateRows: object({ table: text, rows: Type.Array(object({ id: guid, cells })) }),
  deleteRows: object({ table: text, ids: Type.Array(guid) }),
  allRowWrites: object({ table: text }),
  changeMany: object({
    table: text,
    count,
    skip: optional(count),
    operation: oneOf(["update", "delete"]),
    cells: optional(cells),
  }),
  expireDeltaTokens: object({ table: optional(text) }),
  setServiceProtection: object({
    enabled: optional(Type.Boolean()),
    windowSeconds: optional(Type.Integer({ minimum: 1 })),
    requests: optional(count),
    executionSeconds: optional(number),
    concurrentRequests: optional(count),
    requestCostMilliseconds: optional(number),
    rowCostMilliseconds: optional(number),
    recommendedParallelism: optional(Type.Integer({ minimum: 1 })),
  }),
  setPageChurn: object({
    table: text,
    inserts: optional(count),
    updates: optional(count),
    deletes: optional(count),
    cells: optional(cells),
    seed: optional(Type.Integer()),
  }),
  setOrganization: object({
    expireChangeTrackingInDays: optional(number),
    expireSubscriptionsInDays: optional(number),
    staleRecordCounts: optional(Type.Boolean()),
    staleDefinitions: optional(Type.Boolean()),
  }),
  setClock: object({
    factor: optional(Type.Number({ exclusiveMinimum: 0 })),
    advanceSeconds: optional(number),
  }),
  resources: none,
  addResource: object({ resource }),
  dropResource: object({ resource: text }),
  setField: object({ resource: text, field }),
  dropField: object({ resource: text, field: text }),
  records: object({ resource: text }),
  findRecords: object({ resource: text, key: Type.String() }),
  countRecords: object({ resource: text }),
  insertRecords: object({ resource: text, records: Type.Array(values) }),
  updateRecord: object({ resource: text, key: Type.String(), values }),
  deleteRecords: object({ resource: text, keys: Type.Array(Type.String()) }),
  setCampaignBehaviour: object({
    dialect: optional(oneOf(["Standard", "V8"])),
    missingKey: optional(oneOf(["404", "500", "create"])),
    duplicateKey: optional(oneOf(["500", "409", "accept"])),
    errorShape: optional(oneOf(["text", "json"])),
    mandatoryLink: optional(oneOf(["refuse", "hide"])),
    itemPatch: optional(oneOf(["merge", "replace"])),
    throttle: optional(
      Type.Union([
        Type.Null(),
        object({
          callsPerSecond: count,
          body: oneOf(["gateway", "html", "empty"]),
          retryAfterSeconds: optional(count),
        }),
      ]),
    ),
    keyInUrl: optional(texts),
    bigTableThreshold: optional(count),
  }),
  rotatePKeys: none,
  writes: object({ resource: text, key: Type.String() }),
  allWrites: object({ resource: text }),
  setWriteLog: object({ enabled: Type.Boolean() }),
  clearWriteLog: none,
  sendDelivery: object({
    name: optional(text),
    campaignId: optional(Type.String()),
    campaignName: optional(Type.String()),
    contactKeys: optional(texts),
    count: optional(count),
    deliveries: optional(count),
    at: optional(number),
    openRate: optional(rate),
    clickRate: optional(rate),
    hardBounceRate: optional(rate),
    softBounceRate: optional(rate),
    lateBounceRate: optional(rate),
    spreadSeconds: optional(number),
  }),
  runExports: none,
  setExports: object({
    everySeconds: optional(number),
    deliveryEverySeconds: optional(number),
    writing: optional(oneOf(["rename", "inPlace"])),
    chunkBytes: optional(Type.Integer({ minimum: 1 })),
    pauseMilliseconds: optional(number),
    timeZone: optional(text),
    delimiter: optional(Type.String({ minLength: 1, maxLength: 1 })),
  }),
  exportOptOuts: object({ since: optional(number) }),
  listExports: none,
  readExport: object({ name: text, encoding: optional(oneOf(fileEncodings)) }),
  putExport: object({
    name: text,
    text: Type.String(),
    encoding: optional(oneOf(fileEncodings)),
    append: optional(Type.Boolean()),
    modifiedAt: optional(number),
    readable: optional(Type.Boolean()),
  }),
  renameExport: object({ from: text, to: text }),
  truncateExport: object({ name: text, sizeBytes: count }),
  removeExport: object({ name: text }),
  setSftp: object({ state: optional(oneOf(sftpStates)), password: optional(text), publicKey: optional(text) }),
  cutSftp: object({ afterBytes: optional(count) }),
  counters: none,
  resetCounters: none,
  addFault: object({
    side,
    method: optional(oneOf(["GET", "POST", "PATCH", "PUT", "DELETE"])),
    pathPattern: optional(text),
    times: optional(Type.Integer({ minimum: 1 })),
    probability: optional(Type.Number({ minimum: 0, maximum: 1 })),
    seed: optional(Type.Integer()),
    action,
  }),
  removeFault: object({ id: text }),
  clearFaults: none,
  faults: none,
  setGate: object({ side, state: oneOf(["open", "paused", "unavailable", "unreachable"]) }),
  setClientSecret: object({ side, clientSecret: text }),
  expireAccessTokens: object({ side }),
  setTokenLifetime: object({ side, seconds: Type.Integer({ minimum: 0 }) }),
};

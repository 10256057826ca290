import { CampaignRefusal } from "../campaign/errors.ts";
import type { CampaignInstance } from "../campaign/instance.ts";
import type { CampaignRecord } from "../campaign/record-store.ts";
import type { Resource } from "../campaign/schema.ts";
import { ControlError, type ControlRecord, type SandboxControl } from "./interface.ts";
import type { SandboxWorld } from "./world.ts";

type CampaignControl = Pick<
  SandboxControl,
  | "resources"
  | "addResource"
  | "dropResource"
  | "setField"
  | "dropField"
  | "records"
  | "findRecords"
  | "countRecords"
  | "insertRecords"
  | "updateRecord"
  | "deleteRecords"
  | "setCampaignBehaviour"
  | "rotatePKeys"
  | "writes"
  | "allWrites"
>;

export function campaignControl({ instance }: SandboxWorld): CampaignControl {
  const known = (name: string): Resource => {
    const resource = instance.resource(name);
    if (resource !== undefined) return resource;
    const names = instance.resources().map((one) => one.name);
    throw new ControlError(`there is no resource "${name}"; resources: ${names.join(", ")}`);
  };
  return {
    resources: async () => instance.resources(),
    addResource: async ({ resource }) => {
      if (instance.resource(resource.name) !== undefined)
        throw new ControlError(`resource "${resource.name}" exists already`);
      instance.addResource(resource);
    },
    dropResource: async ({ resource }) => {
      if (!known(resource).name.startsWith("cus"))
        throw new ControlError(`"${resource}" is one of Campaign's own resources and cannot be dropped`);
      instance.dropResource(resource);
    },
    setField: async ({ resource, field }) => {
      const others = known(resource).fields.filter((one) => one.name !== field.name);
      instance.changeFields(resource, [...others, field]);
    },
    dropField: async ({ resource, field }) => {
      const { fields, keys } = known(resource);
      if (keys.includes(field))
        throw new ControlError(`"${field}" is an identification key of "${resource}" and cannot be dropped`);
      instance.changeFields(
        resource,
        fields.filter((one) => one.name !== field),
      );
    },
    records: ({ resource }) => records(instance, known(resource)),
    findRecords: async ({ resource, key }) =>
      found(instance, known(resource), key).map((one) => controlRecord(instance, known(resource), one)),
    countRecords: async ({ resource }) => instance.store(known(resource).name).count,
    insertRecords: async ({ resource, records: list }) =>
      list.map(
        (values) =>
          checked(() => instance.insert(known(resource), lastEndpoint(known(resource)), values, { by: "control" })).id,
      ),
    updateRecord: async ({ resource, key, values }) => {
      const record = found(instance, known(resource), key)[0];
      if (record === undefined) throw new ControlError(`no record of "${resource}" has the key "${key}"`);
      checked(() => instance.update(known(resource), lastEndpoint(known(resource)), record, values, { by: "control" }));
    },
    deleteRecords: async ({ resource, keys }) => {
      const gone = keys.flatMap((key) => found(instance, known(resource), key));
      for (const record of gone) instance.delete(known(resource), record, { by: "control" });
      return gone.length;
    },
    setCampaignBehaviour: async (behaviour) => {
      instance.behaviour = { ...instance.behaviour, ...behaviour };
      return instance.behaviour;
    },
    rotatePKeys: async () => instance.pkeys.rotate(),
    writes: async ({ resource, key }) => instance.writes.of(known(resource).name, key),
    allWrites: ({ resource }) => allWrites(instance, known(resource)),
  };
}

async function* records(instance: CampaignInstance, resource: Resource): AsyncIterable<ControlRecord> {
  for (const record of instance.store(resource.name).after(0)) yield controlRecord(instance, resource, record);
}

async function* allWrites(instance: CampaignInstance, resource: Resource): ReturnType<SandboxControl["allWrites"]> {
  yield* instance.writes.all(resource.name);
}

function found(instance: CampaignInstance, resource: Resource, key: string): readonly CampaignRecord[] {
  const field = resource.keys[0];
  return field === undefined ? [] : instance.store(resource.name).findByKey(field, key);
}

function controlRecord(instance: CampaignInstance, resource: Resource, record: CampaignRecord): ControlRecord {
  const { id, created, lastModified } = record;
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(record.values)) {
    if (value === undefined) continue;
    const field = resource.fields.find((one) => one.name === name);
    values[name] =
      field?.type === "link" && typeof value === "number" ? linkText(instance, field.target ?? "", value) : value;
  }
  const timed = resource.fields.filter((field) => field.timed === true);
  const changedAt = Object.fromEntries(timed.map(({ name }) => [name, record.changedAt?.[name] ?? created]));
  return {
    id,
    created,
    lastModified,
    values,
    ...(timed.length === 0 ? {} : { changedAt }),
    ...(instance.isHidden(resource, record) ? { hidden: true } : {}),
  };
}

function linkText(instance: CampaignInstance, target: string, id: number): string {
  const resource = instance.resource(target);
  const key = resource?.keys[0];
  const value = resource === undefined || key === undefined ? undefined : instance.store(target).get(id)?.values[key];
  return value === undefined ? `#${id}` : String(value);
}

/** The endpoint that shows all fields. */
function lastEndpoint(resource: Resource): Resource["endpoints"][number] {
  return resource.endpoints.at(-1) ?? "profileAndServicesExt";
}

function checked<T>(write: () => T): T {
  try {
    return write();
  } catch (cause) {
    if (cause instanceof CampaignRefusal) throw new ControlError(cause.message, { cause });
    throw cause;
  }
}

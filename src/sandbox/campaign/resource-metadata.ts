import type { CampaignInstance } from "./instance.ts";
import { hasSubscriptions, resourceUrl, type UrlBase } from "./record-json.ts";
import { filtersOf } from "./resource-list.ts";
import type { Field, Resource } from "./schema.ts";
import { visibleFields } from "./values.ts";

/** Source: api/using/metadata-mechanism.md, filtering.md, custom-resources.md */

const technicalTypes: Readonly<Record<string, string>> = {
  integer: "long",
  number: "double",
  enumeration: "byte",
  item: "",
};

export function resourceMetadata(base: UrlBase, resource: Resource): Record<string, unknown> {
  const content = Object.fromEntries(
    visibleFields(resource, base.endpoint).map((field) => [field.name, fieldMetadata(base, resource, field)]),
  );
  const root = `${base.campaign}/${base.endpoint}`;
  return {
    PKey: resource.name,
    apiName: resource.name,
    content: {
      PKey: { apiName: "PKey", type: "string", resType: "string", dataPolicy: "none", category: "" },
      ...content,
      ...(hasSubscriptions(resource) ? { subscriptions: collectionMetadata(resource) } : {}),
    },
    data: `/${base.endpoint}/${resource.name}/`,
    filters: { href: `${root}/resourceType/${resource.name}/filters/` },
    help: resource.label,
    href: `${resourceUrl(base, resource.name)}/metadata`,
    label: resource.label,
    mandatory: false,
    name: resource.name,
    pkgStatus: "never",
    readOnly: false,
    schema: resource.schema,
    type: "item",
  };
}

function fieldMetadata(base: UrlBase, resource: Resource, field: Field): Record<string, unknown> {
  return {
    apiName: field.name,
    name: field.name,
    label: field.label ?? field.name,
    type: field.type,
    resType: field.type === "link" ? "link" : (technicalTypes[field.type] ?? field.type),
    dataPolicy: field.dataPolicy ?? "none",
    category: resource.name,
    mandatory: field.mandatory === true,
    readOnly: field.readOnly === true,
    sortable: field.type !== "item" && field.type !== "link",
    ...(field.maxLength === undefined ? {} : { length: field.maxLength }),
    ...(field.target === undefined ? {} : { resTarget: field.target }),
    ...(field.values === undefined ? {} : { values: enumerationValues(field.values) }),
    ...(field.fields === undefined
      ? {}
      : {
          content: Object.fromEntries(field.fields.map((inner) => [inner.name, fieldMetadata(base, resource, inner)])),
        }),
  };
}

/** "If type is completed with the value link or collection, the resTarget value is the name of the resource." */
function collectionMetadata(resource: Resource): Record<string, unknown> {
  return {
    apiName: "subscriptions",
    name: "subscriptions",
    label: "Subscriptions",
    type: "collection",
    resType: "link",
    resTarget: "subscriptionRcp",
    dataPolicy: "none",
    category: resource.name,
  };
}

function enumerationValues(values: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    values.map((name, index) => [name, { name, label: name.charAt(0).toUpperCase() + name.slice(1), value: index }]),
  );
}

/** @param nameOf what this instance calls a filter */
export function filterMetadata(
  base: UrlBase,
  resource: Resource,
  nameOf: (filter: string) => string,
): Record<string, unknown> {
  const filters = filtersOf(resource).map(({ name, parameters }) => ({ name: nameOf(name), parameters }));
  return Object.fromEntries(
    filters.map(({ name, parameters }) => [
      name,
      {
        PKey: `@${Buffer.from(`${resource.name} ${name}`).toString("base64url")}`,
        category: "99_none",
        data: `/${base.endpoint}/${resource.name}/${name}?${parameters.map((parameter) => `${parameter}=$value`).join("&")}`,
        formType: "none",
        fragmentName: "",
        label: name,
        metadata: Object.fromEntries(
          parameters.map((parameter) => [parameter, { apiName: parameter, type: "string" }]),
        ),
      },
    ]),
  );
}

/** `GET /profileAndServicesExt/`: the resources that this endpoint exposes. */
export function endpointIndex(instance: CampaignInstance, base: UrlBase): Record<string, unknown> {
  const exposed = instance.resources().filter((resource) => resource.endpoints.includes(base.endpoint));
  const entries = exposed.map((resource) => [
    resource.name,
    { ...resourceMetadata(base, resource), type: "collection" },
  ]);
  return { apiName: "resourceType", ...Object.fromEntries(entries) };
}

/** What a drill changes of the release that runs the operator: the page is on, and an image more is permitted. */
import { pagePort, type World } from "./world.ts";

interface Values {
  readonly operator?: { readonly allowedWorkerImages?: readonly string[] };
  readonly console?: { readonly enabled?: boolean };
}

/** @param images to permit beside those that are: the operator's own always is */
export async function prepareOperator(world: World, images: readonly string[]): Promise<void> {
  const { operator = {}, console: page = {} } = await valuesOf(world);
  const permitted = operator.allowedWorkerImages ?? [];
  const wanted = [...permitted, ...images.filter((image) => !permitted.includes(image))];
  const changes = [
    ...(wanted.length === permitted.length ? [] : [permitting(wanted)]),
    // Where there is a page, people know its address.
    ...(page.enabled === true ? [] : ["--set", `console.enabled=true,console.publicUrl=http://localhost:${pagePort}`]),
  ];
  await upgrade(world, changes.flat());
}

/** The page stays. */
export async function restoreOperator(world: World, images: readonly string[]): Promise<void> {
  const permitted = (await valuesOf(world)).operator?.allowedWorkerImages ?? [];
  const wanted = permitted.filter((image) => !images.includes(image));
  await upgrade(world, wanted.length === permitted.length ? [] : permitting(wanted));
}

function permitting(images: readonly string[]): readonly string[] {
  return ["--set-json", `operator.allowedWorkerImages=${JSON.stringify(images)}`];
}

async function valuesOf({ helm, cluster: { release } }: World): Promise<Values> {
  const values = ["get", "values", release.name, "--namespace", release.namespace, "--output", "json"];
  return (JSON.parse(await helm(values)) ?? {}) as Values; // As the chart's schema has it.
}

async function upgrade({ helm, cluster: { release } }: World, changes: readonly string[]): Promise<void> {
  if (changes.length === 0) return;
  const named = ["upgrade", release.name, release.chart, "--namespace", release.namespace, "--reuse-values"];
  await helm([...named, ...changes, "--wait", "--timeout", "3m"]);
}

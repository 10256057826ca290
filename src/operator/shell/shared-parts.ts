import type { DeploymentSpec } from "../sight/snapshot.ts";

/** Far more than there are different probes, resources and mounts; beyond, sharing begins anew. */
const mostParts = 4096;

/**
 * What most workflows' pods have in common, kept once: probes, resources, security, mounts. It is most of a Deployment, which is
 * there twice, as it is and in its pin. What goes in must not be changed any more, as nothing in the caches is.
 */
export class SharedParts {
  readonly #parts = new Map<string, unknown>();

  /** The same specification, made of parts that others have too. */
  specOf(spec: DeploymentSpec): DeploymentSpec {
    const { template } = spec;
    if (template.spec === undefined) return spec;
    const { containers, volumes, ...pod } = template.spec;
    return {
      ...spec,
      template: {
        ...template,
        spec: {
          ...this.#fieldsOf(pod),
          containers: containers.map((container) => this.#fieldsOf(container)),
          // What is projected has the pin's name: nobody else's.
          ...(volumes === undefined
            ? {}
            : { volumes: volumes.map((volume) => (volume.projected === undefined ? this.#shared(volume) : volume)) }),
        },
      },
    };
  }

  #fieldsOf<T extends object>(value: T): T {
    const shared = Object.entries(value).map(([name, field]) => [name, this.#shared(field)]);
    return Object.fromEntries(shared) as T; // The same fields with the same values.
  }

  #shared<T>(value: T): T {
    if ((typeof value !== "object" && typeof value !== "string") || value === null) return value;
    const text = JSON.stringify(value);
    const present = this.#parts.get(text);
    if (present !== undefined) return present as T; // Its text is that of a T.
    if (this.#parts.size >= mostParts) this.#parts.clear();
    this.#parts.set(text, value);
    return value;
  }
}

/** The Workflows page as the chart installs it, reached as people try it: through a forwarded port. */
import { freePort } from "../../../cluster/ports.ts";
import { forwardPort, installOperator, operatorKubectl, release } from "../workflows/ground.ts";

export interface PageInCluster {
  readonly url: string;
  /** The chart's values that make it so, for installing anything beside it. */
  readonly values: readonly string[];
  close(): void;
}

export const pageName = `${release}-console`;

/** Installs the chart with the page on; resolves when it answers. */
export async function installPage(...more: readonly string[]): Promise<PageInCluster> {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const values = ["--set", `console.enabled=true,console.publicUrl=${url}`, ...more];
  await installOperator(...values);
  const kubectl = operatorKubectl();
  await kubectl.run(["rollout", "status", `deployment/${pageName}`, "--timeout=120s"]);
  const { close } = await forwardPort(kubectl, `service/${pageName}`, 80, port);
  return { url, values, close };
}

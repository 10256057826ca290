/** docs/explanation/network.md, from the table of flows. */
import { flows, narrowerWorkers, parties } from "./network-table.ts";

/** @returns the page, whole */
export function networkPage(): string {
  const row = ({ from, to, port, protocol, allowed, what }: (typeof flows)[number]): string =>
    `| ${parties[from]} | ${parties[to]} | ${port}/${protocol ?? "TCP"} | ${allowed ? "yes" : "**no**"} | ${what} |`;
  return `${[
    "# Who reaches whom",
    "Generated from scripts/network-table.ts by `npm run generate`: edit there.",
    "The operator makes a NetworkPolicy for each workflow's pods, always. `networkPolicy.enabled` in the chart adds those of the " +
      "operator, the Workflows page and the sandbox. Each denies all that it does not name. It takes a network plugin that " +
      "enforces policies; without one they are words.",
    ["| from | to | port | passes | what |", "|---|---|---|---|---|", ...flows.map(row)].join("\n"),
    "## What they leave open",
    [
      "- A policy cannot say a host name. Workers may go anywhere, because both systems are host names, and a proxy or a database " +
        "may have any port. Whoever knows theirs closes it with a policy of their own, below.",
      "- The API server is no pod. Operator and page may reach its ports anywhere, until `networkPolicy.apiServer.cidrs` names its " +
        "addresses. Where its own port is another than 443 or 6443, name it in `networkPolicy.apiServer.ports`: the operator is cut off otherwise.",
      "- With `console.signIn: oidc` the page may reach the issuer's port anywhere.",
      "- A worker's port 8080 is open to all, because people and the plugin reach it through the API server, whose addresses are not known.",
      "- The pods that the page has made for ten minutes, to ask both systems for a form, have no policy: the person makes them, not the operator.",
      "- A worker's policy is put right at each start, not between: whoever changes it meanwhile is not fought.",
    ].join("\n"),
    "## Close the way out of workers",
    "Policies of one pod add up, so what is allowed here and in the operator's own policy passes, and nothing else:",
    `\`\`\`yaml\n${narrowerWorkers}\`\`\``,
    "Add the port of the database with `queue.postgres`, and of a proxy.",
    "## How it is tested",
    "The table above is asked of the rendered policies by [Cyclonus](https://github.com/mattfenwick/cyclonus), which evaluates policies as " +
      "Kubernetes defines them, row by row; a real API server takes them. No test sends packets through a plugin that enforces them: the " +
      "project's own test node does not.",
  ].join("\n\n")}\n`;
}

/** What a shell may offer next. kubectl's own completion asks plugins in cobra's words, so these answer in them. */
import type { Command, Option } from "commander";
import { workflowStates } from "../api/workflow-states.ts";
import type { ResourceKind } from "../kubernetes/objects.ts";
import { workflows } from "../steering/workflow.ts";
import { type Cluster, type ClusterFlags, openCluster } from "./cluster.ts";
import type { Surroundings } from "./context.ts";

const namespaces: ResourceKind = {
  group: "",
  version: "v1",
  plural: "namespaces",
  kind: "Namespace",
  namespaced: false,
};

/** Cobra's ShellCompDirectiveNoFileComp: names of files never fit. */
const noFiles = ":4";

const names = ["kubectl-iw", "kubectl-integrationworkflow"];

const scripts: Readonly<Record<string, string>> = {
  // As far back as 3.2, which macOS has.
  bash: `_kubectl_iw() {
  local out
  out=$("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:$COMP_CWORD}" 2>/dev/null | grep -v '^:' | cut -f1)
  COMPREPLY=($(compgen -W "$out" -- "\${COMP_WORDS[COMP_CWORD]#=}"))
}
${names.map((name) => `complete -F _kubectl_iw ${name}`).join("\n")}
`,
  zsh: `_kubectl_iw() {
  local -a found
  found=(\${(f)"$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null | grep -v '^:' | cut -f1)"})
  compadd -a found
}
compdef _kubectl_iw ${names.join(" ")}
`,
  fish: names
    .map(
      (name) =>
        `complete -c ${name} -f -a '(${name} __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null | string match -v ":*")'\n`,
    )
    .join(""),
};

export function completionCommands(program: Command, surroundings: Surroundings): void {
  program
    .command("completion <shell>")
    .description(
      "the completion script for bash, zsh or fish; for kubectl's own completion put kubectl_complete-iw on the PATH",
    )
    .action((shell: string) => {
      const script = scripts[shell];
      if (script === undefined)
        program.error(`error: there is no completion for ${shell}: only for bash, zsh and fish`);
      surroundings.out.write(script);
    });
  program
    .command("__complete [words...]", { hidden: true })
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (words: readonly string[]) => {
      const offered = await offers(program, words, surroundings).catch(() => []);
      surroundings.out.write([...offered, noFiles].map((line) => `${line}\n`).join(""));
    });
}

async function offers(
  program: Command,
  words: readonly string[],
  { signal }: Surroundings,
): Promise<readonly string[]> {
  const last = words.at(-1) ?? "";
  const [names, flags] = parted(program, words.slice(0, -1));
  let command = program;
  let depth = 0;
  for (const word of names) {
    const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (next === undefined) break;
    command = next;
    depth += 1;
  }
  const before = words.at(-2) ?? "";
  const asked = optionsOf(program, command).find(({ long, short }) => before === long || before === short);
  if (asked?.required === true && !last.startsWith("-")) return valuesOf(asked, last, program, flags, signal);
  if (last.startsWith("-")) {
    return command.options.flatMap(({ long, description }) =>
      long?.startsWith(last) ? [`${long}\t${description}`] : [],
    );
  }
  if (command.commands.length > 0) {
    return command.commands
      .filter((one) => !one.name().startsWith("__") && one.name().startsWith(last))
      .map((one) => `${one.name()}\t${one.description()}`);
  }
  const [name] = names.slice(depth);
  const argument = command.registeredArguments[names.length - depth]?.name();
  const found = await fromCluster(program, flags, async (cluster) => {
    const options = { signal, timeoutMs: 3000 };
    if (argument === "name") {
      const { items } = await cluster.reader.list(workflows, { namespace: cluster.namespace }, options);
      return items.map(({ metadata }) => metadata.name);
    }
    if (argument !== "table" || name === undefined) return command.name() === "completion" ? Object.keys(scripts) : [];
    const { spec } = await cluster.reader.get(workflows, { namespace: cluster.namespace, name }, options);
    return spec.ingress?.mappings.map(({ table }) => table) ?? [];
  });
  return found.filter((one) => one.startsWith(last));
}

async function fromCluster<T>(
  program: Command,
  flags: ClusterFlags,
  ask: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const cluster = openCluster({ ...program.opts<ClusterFlags>(), ...flags });
  try {
    return await ask(cluster);
  } finally {
    await cluster.close();
  }
}

/** What may stand behind an option. */
async function valuesOf(
  option: Option,
  last: string,
  program: Command,
  flags: ClusterFlags,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const known = option.argChoices ?? (option.long === "--state" ? workflowStates : []);
  const found =
    option.long === "--namespace"
      ? await fromCluster(program, flags, async ({ reader }) =>
          (await reader.list(namespaces, {}, { signal, timeoutMs: 3000 })).items.map(({ metadata }) => metadata.name),
        )
      : known;
  return found.filter((one) => one.startsWith(last));
}

function optionsOf(program: Command, command: Command): readonly Option[] {
  return [...command.options, ...program.options];
}

/** The words that are no flags, and the flags that say which cluster. */
function parted(program: Command, words: readonly string[]): readonly [readonly string[], ClusterFlags] {
  const options = [program, ...program.commands].flatMap(({ options: own }) => own);
  const names: string[] = [];
  const flags: Record<string, string> = {};
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    const [spelled = "", inline] = word.split(/=(.*)/s, 2);
    const option = options.find(({ long, short }) => spelled === long || spelled === short);
    if (!spelled.startsWith("-")) names.push(spelled);
    else if (option?.required === true) {
      // bash takes --flag=value apart at the sign.
      if (inline === undefined && left[0] === "=") left.shift();
      flags[option.attributeName()] = inline ?? left.shift() ?? "";
    }
  }
  const { namespace, context, kubeconfig } = flags;
  return [
    names,
    {
      ...(namespace === undefined ? {} : { namespace }),
      ...(context === undefined ? {} : { context }),
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
    },
  ];
}

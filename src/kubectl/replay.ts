import type { Command } from "commander";
import { aboutOne, readWorkflow, type Surroundings, withCluster, withCommonFlags } from "./context.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { edit } from "./history.ts";
import { asData, isData } from "./output.ts";
import { ask, type SwitchFlags, switchAndWait, withSwitchFlags } from "./switching.ts";
import { plain } from "./words.ts";

interface ReplayFlags extends SwitchFlags {
  readonly restart?: true;
}

export function replayCommand(program: Command, surroundings: Surroundings): Command {
  const description = "reads a table again from the beginning at the next start, and writes every record anew";
  return withSwitchFlags(withCommonFlags(aboutOne(program, "replay", description)))
    .argument("<table>", "the table of one of its mappings")
    .option("--restart", "restart it too, so that the replay begins now")
    .action((name: string, tableName: string, flags: ReplayFlags) =>
      withCluster(surroundings, flags, async (context) => {
        const { out, now } = context;
        const workflow = await readWorkflow(context, name);
        const mappings = workflow.spec.ingress?.mappings ?? [];
        const index = mappings.findIndex(({ table }) => table === tableName);
        if (index < 0) {
          const known = mappings.map(({ table }) => table).join(", ");
          throw new CommandError(
            workflow.spec.type === "Ingress"
              ? `${name} has no mapping of table ${plain(tableName)}: it has ${known}`
              : `${name} is of type ${workflow.spec.type}: only Ingress reads tables that can be replayed`,
            workflow.spec.type === "Ingress" ? exitCodes.notFound : exitCodes.usage,
          );
        }
        const value = new Date(now()).toISOString();
        const path = `/spec/ingress/mappings/${index}`;
        const steps = [
          { op: "test", path: `${path}/table`, value: tableName },
          { op: "add", path: `${path}/replay`, value },
        ] as const;
        const changes = [{ path: `ingress.mappings[table=${tableName}].replay`, from: undefined, to: value }];
        const asked = workflow.spec.state === "Running" ? { restart: value } : { state: "Running" as const };
        // What would be refused afterwards is found out before anything is changed.
        if (flags.restart === true) await ask(context, name, asked, { ...flags, dryRun: true });
        const edited = await edit(context, workflow, steps, { ...flags, changes });
        if (isData(flags.output)) {
          if (flags.restart !== true) out.write(asData(flags.output, edited));
        } else {
          out.write(
            `${name}: ${tableName} is read again from the beginning at the next start${flags.dryRun ? " (server dry run)" : ""}\n`,
          );
        }
        if (flags.restart !== true) return;
        await switchAndWait(context, edited, asked, flags);
      }),
    );
}

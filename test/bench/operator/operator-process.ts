/** The operator as users run it: the built program, as a process of its own, and what it costs. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { echoLabel } from "./echo.ts";
import { namespace } from "./ground.ts";

/** What `/proc` says of a process. */
export interface Usage {
  readonly residentMegabytes: number;
  readonly peakMegabytes: number;
  /** Of all its threads, since it began. */
  readonly cpuSeconds: number;
}

export interface OperatorOptions {
  /** The built program. */
  readonly program: string;
  readonly kubeconfig: string;
  /** Flags of Node, to profile with. */
  readonly nodeFlags: readonly string[];
}

/** As the image does. */
function environmentOfImage(): Readonly<Record<string, string>> {
  const [, settings] = /^ENV (.+)$/m.exec(readFileSync("Dockerfile", "utf8")) ?? [];
  if (settings === undefined) throw new Error("the image sets its environment in another way than this bench knows");
  return Object.fromEntries(settings.split(" ").map((setting) => setting.split("=") as [string, string]));
}

/** As the chart starts it. */
function flagsOfChart(): readonly string[] {
  const template = readFileSync("charts/integration-workflow-operator/templates/deployment.yaml", "utf8");
  const flags = /command: \[\/nodejs\/bin\/node, (.*), dist\/main\.js\]/.exec(template)?.[1];
  if (flags === undefined) throw new Error("the chart starts the operator in another way than this bench knows");
  return flags.split(", ");
}

/** What a clock tick of /proc is on every Linux that Node runs on: 1/100 s. */
const ticksPerSecond = 100;

export class OperatorProcess {
  /** Lines of its log that are warnings or errors. */
  readonly complaints: string[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor({ program, kubeconfig, nodeFlags }: OperatorOptions) {
    const flags = [
      ...["--kubeconfig", kubeconfig, "--worker-image", "registry.example/integration-workflow:1.0.0"],
      ...["--leader-elect", "true", "--leader-election-namespace", namespace],
      ...["--shard-selector", `!${echoLabel}`],
      // Nothing listens in a pod that is played.
      ...["--worker-poll", "off", "--metrics-address", "127.0.0.1:0", "--health-address", "127.0.0.1:0"],
    ];
    this.#child = spawn(process.execPath, [...flagsOfChart(), ...nodeFlags, program, "operator", ...flags], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...environmentOfImage() },
    });
    this.#exited = once(this.#child, "exit");
    if (this.#child.stdout === null) throw new Error("the operator's output is not piped");
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      if (/"level":"(warn|error)"/.test(line)) this.complaints.push(line);
    });
  }

  usage(): Usage {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    const megabytes = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
    // Behind the program's name, which ends with the last bracket, utime and stime are the 12th and 13th field.
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return {
      residentMegabytes: megabytes("VmRSS"),
      peakMegabytes: megabytes("VmHWM"),
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    };
  }

  /** As a rolling update does. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#exited;
  }

  /** As the loss of its node does. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}

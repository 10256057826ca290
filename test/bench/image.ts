/** What the image weighs, and how long its roles take to start in its own root, beside bare Node. */
import { spawnSync } from "node:child_process";
import { type Contents, imageContents } from "../integration/image/contents.ts";
import { untilReady } from "./image-ready.ts";
import { printColumns } from "./table.ts";

const runs = 12;
const megabyte = 1_000_000;
/** By path, the first that fits. */
const parts: readonly (readonly [what: string, paths: RegExp])[] = [
  ["Node", /^nodejs\//],
  ["the program", /^(?:app\/|usr\/bin\/integration-workflow$)/],
  ["of that, for browsers", /^app\/dist\/console\//],
  ["time zones", /^usr\/share\/zoneinfo/],
  ["certificates", /^(?:etc\/ssl|usr\/share\/ca-certificates)/],
  ["all", /^/],
];
const starts: readonly (readonly [what: string, args: readonly string[]])[] = [
  ["bare Node", ["-e", "0"]],
  ["--help", ["/app/dist/main.js", "--help"]],
  ...["operator", "worker", "console", "sandbox"].map((role) => [role, ["/app/dist/main.js", role, "--help"]] as const),
];

interface Start {
  /** Processor time, user and system. */
  readonly cpuMs: number;
  readonly wallMs: number;
}

/** Needs Linux and root. */
export async function imageAlone(): Promise<readonly []> {
  const image = await imageContents();
  try {
    const sizeOf = (paths: RegExp): number =>
      image.files.filter(({ path }) => paths.test(path)).reduce((bytes, file) => bytes + file.bytes, 0);
    printColumns([["image", "MB"], ...parts.map(([what, paths]) => [what, (sizeOf(paths) / megabyte).toFixed(1)])]);
    const measured = starts.map(([what, args]) => ({ what, ...startOf(image, args) }));
    const bare = measured[0]?.cpuMs ?? Number.NaN;
    printColumns([
      [`start, least of ${runs}`, "CPU ms", "of bare Node", "wall ms"],
      ...measured.map(({ what, cpuMs, wallMs }) => [
        what,
        cpuMs.toFixed(0),
        (cpuMs / bare).toFixed(1),
        wallMs.toFixed(0),
      ]),
    ]);
    const { operator, worker } = await untilReady(image.root);
    const bareWall = measured[0]?.wallMs ?? Number.NaN;
    const row = (what: string, ms: number): string[] => [what, ms.toFixed(0), (ms / bareWall).toFixed(1)];
    printColumns([
      ["until ready, the least of some", "wall ms", "of bare Node"],
      row("operator: all is listed", operator),
      row("worker: a new queue, both systems answered", worker),
    ]);
  } finally {
    image.remove();
  }
  return [];
}

function startOf({ root }: Contents, args: readonly string[]): Start {
  const all = Array.from({ length: runs }, () => startOnce(root, args));
  return { cpuMs: Math.min(...all.map(({ cpuMs }) => cpuMs)), wallMs: Math.min(...all.map(({ wallMs }) => wallMs)) };
}

/** The shell's `times` tells what its children took. */
function startOnce(root: string, args: readonly string[]): Start {
  const quoted = args.map((arg) => `'${arg}'`).join(" ");
  const script = `/usr/sbin/chroot --userspec=65532:65532 '${root}' /nodejs/bin/node ${quoted} >/dev/null; times`;
  const startedAtMs = performance.now();
  const { stdout, status } = spawnSync("bash", ["-c", script], { encoding: "utf8", env: {} });
  const wallMs = performance.now() - startedAtMs;
  const [user, system] = [...(stdout.split("\n")[1] ?? "").matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, seconds]) => (Number(minutes) * 60 + Number(seconds)) * 1000,
  );
  if (status !== 0 || user === undefined || system === undefined) throw new Error(`node ${quoted} did not start`);
  return { cpuMs: user + system, wallMs };
}

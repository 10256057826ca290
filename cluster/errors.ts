/**
 * What went wrong in starting or ending a cluster, said to the person who must act: what, where, and the way out.
 * The message's first line is the whole sentence; lines below it, if any, are what a tool or a log said.
 */
export class ClusterError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ClusterError";
    this.code = code;
  }
}

/** What a file server says no to. */
export class FileTreeError extends Error {
  readonly code = "SandboxFiles";
  readonly failure: "NoSuchFile" | "Denied" | "Failure";

  constructor(failure: FileTreeError["failure"], message: string) {
    super(message);
    this.name = "FileTreeError";
    this.failure = failure;
  }
}

/** A file as a folder's listing shows it. */
export interface RemoteFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Seconds since 1970; SFTP version 3 knows no finer time. */
  readonly modifiedSeconds: number;
}

/** What the worker needs of an SFTP server: to read. It never writes, renames or deletes. */
export interface Sftp {
  /** The plain files of a folder, in no order. @throws as the client */
  list(folder: string, signal: AbortSignal): Promise<readonly RemoteFile[]>;
  /** A file as it is now. @throws as the client */
  stat(path: string, signal: AbortSignal): Promise<Omit<RemoteFile, "name">>;
  /**
   * The bytes of a file from one of them on, to its end as it is when that is reached. The next bytes are asked for when
   * they are wanted, so memory holds one chunk.
   * @throws as the client
   */
  read(path: string, fromByte: number, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined>;
}

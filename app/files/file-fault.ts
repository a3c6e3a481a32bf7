/** A file could not be put into the bucket, or read from it. `cause` says why. */
export class FileFault extends Error {
  override readonly name = "FileFault";
  /** The bucket answers, and has no such file. */
  readonly isGone: boolean;

  constructor(doing: string, { cause, isGone = false }: { cause: unknown; isGone?: boolean }) {
    super(doing, { cause });
    this.isGone = isGone;
  }
}

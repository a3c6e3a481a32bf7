/** The bucket did not take a file, or does not give it; `cause` says why. */
export class FileFault extends Error {
  override readonly name = "FileFault";
  /** The bucket answers, and has no such file. */
  readonly isGone: boolean;

  constructor(doing: string, { cause, isGone = false }: { cause: unknown; isGone?: boolean }) {
    super(doing, { cause });
    this.isGone = isGone;
  }
}

/** A file could not be put into the bucket, or read from it. `cause` says why. */
export class FileFault extends Error {
  override readonly name = "FileFault";
}

/** The bucket did not take a file, or does not give it; `cause` says why. */
export class FileFault extends Error {
  override readonly name = "FileFault";
}

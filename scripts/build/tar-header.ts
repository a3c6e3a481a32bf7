const blockBytes = 512;
/** The longest name and largest size that fit into a plain header. */
const nameLimitBytes = 100;
const sizeLimitBytes = 8 ** 11;

export type TarEntry = { name: string; executable: boolean; bytes: number };

/**
 * Renders the header of one file in the format of POSIX.1-1988 (ustar), without anything that differs between two
 * builds: no owner, no time. Throws when name or size do not fit.
 */
export function renderTarHeader({ name, executable, bytes }: TarEntry): Buffer {
  if (Buffer.byteLength(name) > nameLimitBytes)
    throw new Error(`${name} is longer than ${nameLimitBytes} bytes: give it a shorter name`);
  if (bytes >= sizeLimitBytes)
    throw new Error(`${name} has ${bytes} bytes, and a header has room for less than ${sizeLimitBytes}`);
  const header = Buffer.alloc(blockBytes);
  header.write(name, 0);
  header.write(octal(executable ? 0o755 : 0o644, 7), 100);
  header.write(octal(0, 7), 108); // uid
  header.write(octal(0, 7), 116); // gid
  header.write(octal(bytes, 11), 124);
  header.write(octal(0, 11), 136); // mtime, in seconds
  header.write("0", 156); // a regular file
  header.write("ustar", 257);
  header.write("00", 263); // the version of ustar
  header.write(octal(checksum(header), 6) + "\0 ", 148);
  return header;
}

/** Zeros that fill up a file's last block. */
export function renderTarPadding(bytes: number): Buffer {
  return Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes);
}

/** The end of an archive: two empty blocks. */
export const tarEnd = Buffer.alloc(2 * blockBytes);

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

/** The checksum is computed with blanks in its own place. */
function checksum(header: Buffer): number {
  const blank = 0x20;
  return header.reduce((sum, byte) => sum + byte, 8 * blank);
}

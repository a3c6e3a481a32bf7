/** How much of an LTX file is its header. */
export const ltxHeaderBytes = 100;

/**
 * How large the database is, in bytes, once a file of Litestream's has been applied; null when these bytes are no
 * header that we know. Source: Header.MarshalBinary and UnmarshalBinary in ltx.go of github.com/superfly/ltx: after the
 * magic and the flags stand the size of a page and the number of pages, big-endian, never compressed.
 */
export function readDatabaseSize(header: Uint8Array): number | null {
  if (header.length < ltxHeaderBytes) return null;
  const view = new DataView(header.buffer, header.byteOffset, ltxHeaderBytes);
  if (view.getUint32(0) !== magic) return null;
  const [pageBytes, pages] = [view.getUint32(8), view.getUint32(12)];
  const isPageSize = pageBytes >= 512 && pageBytes <= 65_536 && (pageBytes & (pageBytes - 1)) === 0;
  return isPageSize && pages > 0 ? pageBytes * pages : null;
}

/** "LTX1" */
const magic = 0x4c_54_58_31;

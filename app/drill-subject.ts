/** How a drill writes to a product, and reads back from a database what it wrote. */
export type DrillSubject = {
  /** Starts an author of writes. Several authors write at the same time. */
  startAuthor(options: DrillAuthorOptions): DrillAuthor;
  /**
   * Reads back, row by row, everything that the authors wrote. Throws when the database holds what no request can
   * write. Read the tables themselves (`NOT INDEXED`), so that a damaged index hides nothing.
   */
  readRows(select: SelectRows): Iterable<DrillRow>;
  /** How the product delivers its rows to others. Omitted by a product that delivers nothing. */
  deliveries?: DrillDeliveries;
};

/** How the drill subscribes to deliveries and reads them, to compare them with the rows that survived. */
export type DrillDeliveries = {
  /** The kinds of rows that are delivered, each row under one id. */
  readonly kinds: readonly string[];
  /** Makes the POST that subscribes this url to everything written from then on. */
  subscribe(url: string): Readonly<{ path: string; body: unknown }>;
  /** Reads the row from a request to that url, and the id by which a receiver recognises a repetition. */
  readDelivery(request: Readonly<{ headers: NodeJS.Dict<string | string[]>; body: string }>): DrillRow;
};

export type DrillAuthorOptions = Readonly<{
  /** Unique in the drill. Every name that the author makes up begins with it. */
  name: string;
  /** A number from 0 up to 1. A drill with the same seed gets the same numbers, so use no other source. */
  random: () => number;
  /** Whether to write rows as large as the product allows, to fill a database quickly. */
  isLarge: boolean;
}>;

export type DrillAuthor = {
  /** Makes the next write: valid, and different from every other write of the drill. */
  next(): DrillWrite;
  /** Called for every acknowledged write with the id from its answer, so that later writes can refer to it. */
  learn?(write: DrillWrite, id: string): void;
};

/** What a client wrote: the kind of row, the key by which the drill finds it again, and all that the client chose. */
export type DrillContent = Readonly<{ kind: string; key: string; content: unknown }>;

/** A write, sent as a POST. Its answer must be JSON with the field `id`. */
export type DrillWrite = DrillContent & Readonly<{ path: string; body?: unknown }>;

/** A row in the database, with the id that the product gave it. */
export type DrillRow = DrillContent & Readonly<{ id: string }>;

/** Runs one select and yields its rows. */
export type SelectRows = <Row>(sql: string, ...parameters: readonly unknown[]) => Iterable<Row>;

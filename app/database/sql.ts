import {
  type Compilable,
  type CompiledQuery,
  DummyDriver,
  Kysely,
  type LimitNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  ValueNode,
} from "kysely";

/** Makes a query builder that only compiles: it has no connection, and executing a query with it returns nothing. */
export function sqlBuilder<Tables>(): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (builder) => new SqliteIntrospector(builder),
      createQueryCompiler: () => new QueryCompiler(),
    },
  });
}

/** Writes a limit into the text: SQLite prepares a statement with `limit ?` anew each time that a value is bound. */
class QueryCompiler extends SqliteQueryCompiler {
  protected override visitLimit(node: LimitNode): void {
    const { limit } = node;
    if (ValueNode.is(limit) && Number.isInteger(limit.value)) this.append(`limit ${String(limit.value)}`);
    else super.visitLimit(node);
  }
}

/**
 * Builds and compiles a statement at its first use only, which for a point read costs as much as reading the row:
 * `const byId = compileOnce((id: string) => tables.selectFrom("customers").selectAll().where("id", "=", id))`. `build`
 * gets stand-ins for the parameters, so it may only hand them on, each as one value of the statement. Throws Error when
 * one of them is not handed on.
 */
export function compileOnce<Values extends readonly unknown[], Statement extends Compilable>(
  build: (...values: Values) => Statement,
): (...values: Values) => Statement {
  let template: Template | undefined;
  return (...values) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the builder hands values on without a look at them
    template ??= compileTemplate((...standIns) => build(...(standIns as unknown as Values)), values.length);
    const compiled = fillTemplate(template, values);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- query() looks at nothing but compile()
    return { compile: () => compiled } as unknown as Statement;
  };
}

type Template = { compiled: CompiledQuery; places: readonly number[] };

function compileTemplate(build: (...standIns: readonly symbol[]) => Compilable, count: number): Template {
  const standIns = Array.from({ length: count }, (_, index) => Symbol(`parameter ${index + 1}`));
  const compiled = build(...standIns).compile();
  const places = compiled.parameters.map((value) => standIns.findIndex((standIn) => standIn === value));
  const unused = standIns.find((_, index) => !places.includes(index));
  if (unused !== undefined)
    throw new Error(`compileOnce: ${unused.description} of "${compiled.sql}" is not handed on as a value`);
  return { compiled, places };
}

function fillTemplate({ compiled, places }: Template, values: readonly unknown[]): CompiledQuery {
  const parameters = places.map((place, index) => (place === -1 ? compiled.parameters[index] : values[place]));
  return { ...compiled, parameters };
}

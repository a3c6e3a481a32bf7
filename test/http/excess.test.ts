import { Type } from "typebox";
import { expect, test, vi } from "vitest";

import { findExcess } from "../../app/http/schema-validator.ts";

test("what is in excess is found before anything behind it is read", () => {
  const schema = Type.Object(
    {
      rows: Type.Array(Type.Array(Type.Object({}, { additionalProperties: false }), { maxItems: 3 }), { maxItems: 3 }),
    },
    { additionalProperties: false },
  );
  const look = vi.fn(() => 1);
  const item = Object.defineProperty({}, "secret", { get: look, enumerable: true });
  expect(findExcess(schema, { rows: [[item, item, item, item]] })).toMatchObject({ instancePath: "/rows/0" });
  expect(findExcess(schema, { rows: [[], [], [], []] })).toMatchObject({ instancePath: "/rows" });
  expect(findExcess(schema, { rows: [[{}], [{}, {}, {}]] })).toBeUndefined();
  expect(findExcess(schema, { rows: "x" })).toBeUndefined();
  expect(look).not.toHaveBeenCalled();
});

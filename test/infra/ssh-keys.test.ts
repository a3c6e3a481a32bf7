import { expect, test } from "vitest";

import { planServerKeys } from "../../infra/components/ssh-keys.ts";

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3n4ZUm";

test("a name is used as it is, and a public key is uploaded", () => {
  const [named, uploaded] = planServerKeys(["laptop", `${key} me@laptop`], []);
  expect(named).toEqual({ nameOrId: "laptop" });
  expect(uploaded).toMatchObject({ publicKey: key, adopted: undefined });
});

test("a key that somebody else put into the project is used, whatever its comment says", () => {
  const standing = [{ id: 7, publicKey: `${key} another comment\n`, isOurs: false }];
  expect(planServerKeys([`${key} me@laptop`], standing)).toEqual([{ nameOrId: "7" }]);
});

test("a key that this stack put there is adopted", () => {
  const standing = [{ id: 7, publicKey: key, isOurs: true }];
  expect(planServerKeys([key], standing)).toMatchObject([{ publicKey: key, adopted: 7 }]);
});

test("one key with two comments is one key, and a new comment makes no new one", () => {
  expect(planServerKeys([`${key} one`, `${key} two`], [])).toEqual(planServerKeys([`${key} three`], []));
});

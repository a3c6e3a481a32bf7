import { expect, test } from "vitest";

import { openCloudStore, openPatientStore, type CloudStore } from "../../../scripts/store/open-client.ts";
import { fetchText, putJson } from "../../../scripts/store/store-object.ts";
import type { Fate } from "../../replica/store-proxy.ts";
import { useProxiedStore } from "./proxied-store.ts";
import { denied } from "./scripted-store.ts";

const key = "wanted-release.json";

const proxied = useProxiedStore();
const { readSecret } = proxied;

const openers = { "tries once": openCloudStore, "repeats what fails": openPatientStore };

test.each(Object.entries(openers))(
  "a write whose answer is lost is known for done by a client that %s",
  async (_what, open) => {
    using store = await open(proxied.place, readSecret);
    loseAnswers(1);
    expect(await putJson(store, key, { value: { deploy: "ours" }, etag: undefined })).toBe(true);
    const standing = await read(store);
    loseAnswers(1);
    expect(await putJson(store, key, { value: { deploy: "ours too" }, etag: standing?.etag })).toBe(true);
    expect((await read(store))?.text).toBe('{"deploy":"ours too"}\n');
  },
);

test("a write that did not arrive is no write, and somebody else's stays", async () => {
  using store = await openCloudStore(proxied.place, readSecret);
  proxied.proxy.decide = ({ method }) => (method === "PUT" ? "drop" : "pass");
  const lost = putJson(store, key, { value: { deploy: "ours" }, etag: undefined });
  await expect(lost).rejects.toThrow(`writing ${key}`);
  proxied.proxy.decide = () => "pass";
  expect(await putJson(store, key, { value: { deploy: "theirs" }, etag: undefined })).toBe(true);
  expect(await putJson(store, key, { value: { deploy: "ours" }, etag: undefined })).toBe(false);
  expect((await read(store))?.text).toBe('{"deploy":"theirs"}\n');
});

test("whether a write was done is asked, not guessed, where the answer to that is lost too", async () => {
  using store = await openPatientStore(proxied.place, readSecret);
  loseAnswers(1, (method) => (method === "GET" ? denied : "pass"));
  await expect(putJson(store, key, { value: { deploy: "ours" }, etag: undefined })).rejects.toThrow("AccessDenied");
});

const read = (store: CloudStore) => fetchText(store, key);

function loseAnswers(count: number, rest: (method: string) => Fate = () => "pass"): void {
  let lost = 0;
  proxied.proxy.decide = ({ method }) => (method === "PUT" && lost++ < count ? "lose-answer" : rest(method));
}

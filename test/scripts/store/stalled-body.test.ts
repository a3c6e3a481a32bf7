import { createServer } from "node:http";

import { expect, test } from "vitest";

import { listenOnLoopback } from "../../../scripts/local/listen-on-loopback.ts";
import { openPatientStore } from "../../../scripts/store/open-client.ts";
import { fetchText } from "../../../scripts/store/store-object.ts";

test("a store whose answer stops in its middle does not hold a verb for ever", { timeout: 20_000 }, async () => {
  const stalling = createServer((_request, response) => {
    response.writeHead(200, { etag: '"a"', "content-length": "100" });
    response.write("{");
  });
  await using listener = await listenOnLoopback(stalling);
  const place = {
    LIFEBOAT_BUCKET: "a-bucket",
    LIFEBOAT_REGION: "auto",
    LIFEBOAT_ENDPOINT: listener.url,
    LIFEBOAT_PATH_STYLE: "true",
    LIFEBOAT_ACCESS_KEY_ID: "key",
  };
  using store = await openPatientStore(place, async () => "secret", 500);
  await expect(fetchText(store, "wanted-release.json")).rejects.toMatchObject({ kind: "unreachable" });
});

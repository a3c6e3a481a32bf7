import { expect, test } from "vitest";

import { findBlame, type Blame } from "../../app/replica/litestream.ts";

/** As Litestream 0.5.17, the AWS SDK in it and Go's network say it; "machine" is what we say of its restore. */
const words: [words: string, blame: Blame | null][] = [
  ["operation error S3: PutObject, https response error StatusCode: 503, api error SlowDown: Reduce", "store-fails"],
  ["operation error S3: GetObject, https response error StatusCode: 500, api error InternalError: x", "store-fails"],
  ["https response error StatusCode: 0, RequestID: , request send failed, Get: EOF", "store-fails"],
  ["https response error StatusCode: 403, api error RequestTimeTooSkewed: The difference", "store-fails"],
  ["https response error StatusCode: 403, api error InvalidAccessKeyId: The AWS Access Key Id", "store-fails"],
  ["Get: dial tcp 127.0.0.1:9: connect: connection refused", "store-fails"],
  ["read tcp 10.0.0.2:1->10.0.0.3:443: read: connection reset by peer", "store-fails"],
  ["lookup store.example on 127.0.0.53:53: no such host", "store-fails"],
  ["http2: client connection lost", "store-fails"],
  ["net/http: TLS handshake timeout", "store-fails"],
  ["write tcp: broken pipe", "store-fails"],
  ["https response error StatusCode: 403, api error AccessDenied: Access Denied", "store-refuses"],
  ["https response error StatusCode: 403, api error SignatureDoesNotMatch: The request", "store-refuses"],
  ["https response error StatusCode: 401, api error Unauthorized: no", "store-refuses"],
  ["tls: failed to verify certificate: x509: certificate has expired", "store-refuses"],
  ["Litestream POST /sync: 500 context deadline exceeded", "late"],
  ["net/http: request canceled (Client.Timeout exceeded while awaiting headers)", "late"],
  ["restoring epoch 0001-ab: no progress for 60 s, given up", "machine"],
  ["restoring epoch 0001-ab: /usr/bin/litestream cannot be run", "machine"],
  ["unexpected EOF", null],
  ["decode page 4: checksum mismatch", null],
  ["no matching backup files available", null],
  ["https response error StatusCode: 404, api error NoSuchKey: gone", null],
  ["Litestream POST /sync: no answer in 15000 ms", null],
  ["Litestream POST /sync: connect ENOENT /run/lifeboat/litestream.sock", null],
  ["Litestream POST /sync: connect ECONNREFUSED /run/lifeboat/litestream.sock", null],
];

test.each(words)("%s: %s is to blame", (said, blame) => {
  expect(findBlame(said)).toBe(blame);
});

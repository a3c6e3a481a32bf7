import { Readable } from "node:stream";

import type { FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";

import { FileFault } from "../files/file-fault.ts";
import type { FileStore, StoredFile } from "../files/file-store.ts";
import { Problem } from "./problem.ts";
import type { Server } from "./product-routes.ts";
import { readDurability, readIdempotency } from "./write-headers.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The route takes a file of any type as its body. */
    takesFile?: boolean;
  }
}

/** The type that selects the parser for an upload. It replaces the file's own type, which may be any. */
const uploadType = "application/vnd.lifeboat.upload";
const usualType = "application/octet-stream";
const givenTypes = new WeakMap<FastifyRequest, string>();

/** Lets routes take a file as a stream. */
export function addUploads(server: Server): void {
  server.addContentTypeParser(uploadType, (request, body, done) => {
    if (request.routeOptions.config.takesFile === true) done(null, body);
    else done(new Problem(415, "unsupported-media-type", "Send the body as application/json."));
  });
}

/**
 * Makes the options of a route that takes a file of up to `limitBytes` as its body. Refuses a larger one, or one
 * without a length, before reading it.
 */
export function takeFile({ limitBytes }: { limitBytes: number }) {
  return {
    config: { takesFile: true },
    onRequest: (request, reply, done) => {
      const { "content-length": length, "content-type": type = usualType } = request.headers;
      // So that nobody has to read the rest of the body.
      if (length === undefined || Number(length) > limitBytes) void reply.header("connection", "close");
      if (length === undefined)
        throw new Problem(411, "length-required", "Send the file with its length, in the header Content-Length.");
      if (Number(length) > limitBytes)
        throw new Problem(413, "body-too-large", `A file may have ${limitBytes} bytes here at most.`);
      if (!mediaType.test(type))
        throw new Problem(415, "unsupported-media-type", "Content-Type is no media type that can be kept.");
      // Check the other headers before the file is stored, and not after it.
      readDurability(request.headers, "disk");
      readIdempotency(request);
      givenTypes.set(request, type);
      request.headers = { ...request.headers, "content-type": uploadType };
      done();
    },
  } satisfies RouteShorthandOptions;
}

const mediaType = /^[\w.+-]{1,60}\/[\w.+-]{1,60}(?: ?;[ -~]{0,100})?$/;

/**
 * Puts the file of a request into the bucket. Write the row that names it afterwards. Throws Problem `file-not-stored`
 * (503); then there is no file.
 */
export async function keepUpload(request: FastifyRequest, files: Pick<FileStore, "put">): Promise<StoredFile> {
  const content = request.body instanceof Readable ? request.body : Readable.from([]);
  const bytes = Number(request.headers["content-length"]);
  const contentType = givenTypes.get(request) ?? usualType;
  try {
    const { sha256, ...file } = await files.put(content, { bytes, contentType });
    // Idempotency compares bodies. For a file, this stands for the body.
    request.body = { bytes, contentType, sha256 };
    return { ...file, sha256 };
  } catch (error) {
    if (!(error instanceof FileFault)) throw error;
    // A client that reads only once it has sent everything would wait for us, and we for it.
    content.resume();
    request.log.warn({ err: error }, "an upload did not get into the bucket");
    const detail = "Nothing was kept: the bucket does not take the file now. Repeat the request.";
    throw new Problem(503, "file-not-stored", detail, { headers: { "retry-after": "5" }, cause: error });
  }
}

/**
 * Answers with a file from the bucket, as a download: an uploaded file must not run as a page of this server. Throws
 * Problem `file-not-readable` (503), and `file-missing` (404) when it is no longer there.
 */
export async function sendFile(
  reply: FastifyReply,
  files: Pick<FileStore, "open">,
  file: Pick<StoredFile, "key" | "contentType">,
): Promise<FastifyReply> {
  try {
    const { content, bytes } = await files.open(file.key);
    return reply
      .headers({ "content-length": bytes, "content-disposition": "attachment", "content-security-policy": "sandbox" })
      .type(file.contentType)
      .send(content);
  } catch (error) {
    if (!(error instanceof FileFault)) throw error;
    reply.request.log.error({ err: error }, "a file that a row names cannot be read");
    if (error.isGone) throw new Problem(404, "file-missing", "The bucket no longer has this file.", { cause: error });
    const detail = "The bucket does not give the file now. Repeat the request.";
    throw new Problem(503, "file-not-readable", detail, { headers: { "retry-after": "5" }, cause: error });
  }
}

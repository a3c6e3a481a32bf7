import { found, IdParams } from "../../app/http/reads.ts";
import { keepUpload, sendFile, takeFile } from "../../app/http/uploads.ts";
import type { Product } from "../../app/product.ts";
import { addPage, pagesProduct, readPageById } from "../product/pages.ts";

export const limitBytes = 16 * 1024 * 1024;
export const filesPath = "/files";

/** The pages, of which one can be a file: its title is the key, its words are the type. */
export const filesProduct: Product = {
  ...pagesProduct,
  addRoutes: (server, context) => {
    pagesProduct.addRoutes(server, context);
    const { reader, answerWrite, files } = context;
    server.post(filesPath, takeFile({ limitBytes }), async (request, reply) => {
      const { key: title, contentType: words } = await keepUpload(request, files);
      return answerWrite(request, reply, { command: addPage, input: { title, words }, status: 201 });
    });
    server.get(`${filesPath}/:id`, { schema: { params: IdParams } }, async ({ params: { id } }, reply) => {
      const { title: key, words: contentType } = found(reader.read(readPageById(id)), `file ${id}`);
      return sendFile(reply, files, { key, contentType });
    });
  },
};

import { serveWriter } from "./database/serve-writer.ts";
import { product } from "./service/product.ts";

serveWriter(product);

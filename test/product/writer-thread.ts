import { serveWriter } from "../../app/database/serve-writer.ts";
import { pagesProduct } from "./pages.ts";

serveWriter(pagesProduct);

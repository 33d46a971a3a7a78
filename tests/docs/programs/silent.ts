/** Says that it listens, and answers nothing but 500. */

import { serve } from "../../../mod.ts";

await serve(() => {
  throw new Error("on purpose");
}, { errorLog: () => {} });

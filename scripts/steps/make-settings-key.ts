import { randomBytes } from "node:crypto";

import { settingsKeyRule } from "../../cloud-init/machine-files.ts";

// Run by `pulumi up` (infra/components/settings-key.ts). Prints the key, which Pulumi keeps as a secret. Run
// again it prints the same; as a new resource, for another settingsKeyGeneration, it remembers nothing.
const remembered = process.env["PULUMI_COMMAND_STDOUT"]?.trim() ?? "";
console.log(settingsKeyRule.test(remembered) ? remembered : randomBytes(32).toString("hex"));

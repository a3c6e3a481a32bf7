import { PolicyPack } from "@pulumi/policy";

// Not TypeScript itself: Pulumi hands a pack's own .ts file to ts-node, which refuses imports that end in .ts.
import { policies } from "../policies.ts";

// pulumi up --policy-pack infra/policy-pack
void new PolicyPack("lifeboat", { policies });

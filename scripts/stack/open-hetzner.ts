import type { Stack } from "@pulumi/pulumi/automation/index.js";
import { Type } from "typebox";
import { Value } from "typebox/value";

import { HetznerProject, type Labels } from "../cloud/hetzner-project.ts";
import type { Plan } from "./plan.ts";

const LabelsSchema = Type.Object({ lifeboat: Type.String(), bucket: Type.String() });

/** Opens the Hetzner project of a stack with what its provider uses: config before environment. */
export async function openHetzner(stack: Stack): Promise<HetznerProject> {
  const config = await stack.getAllConfig();
  const token = config["hcloud:token"]?.value ?? process.env["HCLOUD_TOKEN"];
  if (token === undefined) throw new Error("hcloud:token is missing: pulumi config set --secret hcloud:token");
  return new HetznerProject({ token, endpoint: config["hcloud:endpoint"]?.value ?? process.env["HCLOUD_ENDPOINT"] });
}

/** The labels that mark everything of this stack at Hetzner, as the program of the plan writes them. Throws when the plan holds none. */
export function readLabels({ steps }: Plan): Labels {
  for (const { inputs } of steps) {
    const labels: unknown = inputs["labels"];
    if (Value.Check(LabelsSchema, labels)) return { lifeboat: labels.lifeboat, bucket: labels.bucket };
  }
  throw new Error("the plan holds nothing at Hetzner with our labels");
}

import { Type } from "typebox";
import { Value } from "typebox/value";

import type { StackLabels } from "../../infra/survey/data-place.ts";
import type { Plan } from "../engine/plan.ts";
import type { StackSettings } from "../engine/read-settings.ts";
import { HetznerProject } from "./hetzner-project.ts";

const LabelsSchema = Type.Object({ lifeboat: Type.String(), bucket: Type.String() });

/** Opens the Hetzner project of a stack with what its provider uses: config before environment. */
export async function openHetzner(stack: Pick<StackSettings, "getAllConfig">): Promise<HetznerProject> {
  const hetzner = await findHetzner(stack);
  if (hetzner === undefined) throw new Error("hcloud:token is missing: pulumi config set --secret hcloud:token");
  return hetzner;
}

/** The same; undefined when there is no token. */
export async function findHetzner(stack: Pick<StackSettings, "getAllConfig">): Promise<HetznerProject | undefined> {
  const config = await stack.getAllConfig();
  const token = config["hcloud:token"]?.value ?? process.env["HCLOUD_TOKEN"] ?? "";
  if (token === "") return undefined;
  return new HetznerProject({ token, endpoint: config["hcloud:endpoint"]?.value ?? process.env["HCLOUD_ENDPOINT"] });
}

/** The labels that mark everything of this stack at Hetzner, as the program of the plan writes them. Throws when the plan holds none. */
export function readLabels(plan: Plan): StackLabels {
  const labels = findLabels(plan);
  if (labels === undefined) throw new Error("the plan holds nothing at Hetzner with our labels");
  return labels;
}

/** The same; undefined when the plan holds none. */
export function findLabels({ steps }: Plan): StackLabels | undefined {
  for (const { inputs } of steps) {
    const labels: unknown = inputs["labels"];
    if (Value.Check(LabelsSchema, labels)) return { lifeboat: labels.lifeboat, bucket: labels.bucket };
  }
  return undefined;
}

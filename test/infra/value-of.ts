import type * as pulumi from "@pulumi/pulumi";

/** Waits for the value of an output. Fails on an output that stays unknown. */
export async function valueOf<Value>(output: pulumi.Output<Value>): Promise<Value> {
  return new Promise((resolve) => {
    output.apply(resolve);
  });
}

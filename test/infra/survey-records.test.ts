import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";

import { surveyRecords } from "../../infra/survey/survey-records.ts";

const labels = { lifeboat: "lifeboat-test", bucket: "boats" };
const config = { domain: "example.com", www: true, dnsZone: "example.com" };

type Rrset = { name: string; type: string; labels: Record<string, string>; records: { value: string }[] };

async function survey(zone: { mode: string; rrsets: Rrset[] } | string, asked = config) {
  const call = ({ token }: { token: string }): Record<string, unknown> => {
    if (typeof zone === "string") throw Object.assign(new Error(zone), { details: zone });
    return token === "hcloud:index/getZone:getZone" ? { mode: zone.mode } : { rrsets: zone.rrsets };
  };
  await pulumi.runtime.setMocks({ newResource: () => ({ id: "", state: {} }), call }, "lifeboat", "test");
  return surveyRecords(asked, labels);
}

const rrset = (name: string, type: string, its: Record<string, string> = {}): Rrset => {
  return { name, type, labels: its, records: [{ value: "198.51.100.1" }] };
};

test("the zone itself is @, and names in it are relative", async () => {
  const strangers = [rrset("@", "MX"), rrset("mail", "A"), rrset("@", "A", labels)];
  expect(await survey({ mode: "primary", rrsets: strangers })).toEqual({ zone: "example.com", names: ["@", "www"] });
  const below = { ...config, domain: "app.eu.example.com", www: false };
  expect(await survey({ mode: "primary", rrsets: [] }, below)).toMatchObject({ names: ["app.eu"] });
});

test.each([
  [rrset("@", "A")],
  [rrset("www", "CNAME")],
  [rrset("www", "AAAA", { ...labels, lifeboat: "lifeboat-production" })],
  [rrset("@", "A", { ...labels, bucket: "others" })],
])("records of somebody else are named, and nothing is done to them: %o", async (foreign) => {
  const refusal = survey({ mode: "primary", rrsets: [foreign] });
  await expect(refusal).rejects.toThrow(`${foreign.type} ${foreign.name} (198.51.100.1); delete them`);
});

test("a zone that is absent is told from a Hetzner that does not answer", async () => {
  await expect(survey("Resource (zone) was not found: name=example.com")).rejects.toThrow(
    "no zone example.com in the Hetzner project",
  );
  await expect(survey("server_error: internal")).rejects.toThrow("server_error");
  await expect(survey({ mode: "secondary", rrsets: [] })).rejects.toThrow("a secondary one");
});

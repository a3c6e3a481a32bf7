import {
  CreateAccessKeyCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteUserCommand,
  DeleteUserPolicyCommand,
  GetUserCommand,
  GetUserPolicyCommand,
  ListAccessKeysCommand,
  PutUserPolicyCommand,
} from "@aws-sdk/client-iam";

import { type Properties, readProperties, textAt } from "../provider/properties.ts";
import type { Resource } from "../provider/resource.ts";
import { type Account, accountId, orNull } from "./account.ts";

/**
 * aws.iam.User (internal/service/iam/user.go). SeaweedFS knows neither boundaries nor tags of users, nor keys that are
 * off: a test that plays a person at AWS notes them in the account's settings.
 */
export function userResource({ iam, settings }: Account): Resource {
  const exists = (UserName: string) => orNull(iam.send(new GetUserCommand({ UserName })));
  const listKeys = async (UserName: string) => {
    const { AccessKeyMetadata = [] } = await iam.send(new ListAccessKeysCommand({ UserName }));
    return AccessKeyMetadata.flatMap(({ AccessKeyId }) => AccessKeyId ?? []);
  };
  const addedByOthers = (id: string, state: Properties): Properties => ({
    permissionsBoundary: settings.get(`permissionsBoundary ${id}`) ?? null,
    tags: { ...readProperties(state["tags"] ?? {}), ...readProperties(JSON.parse(settings.get(`tags ${id}`) ?? "{}")) },
  });
  return {
    replaceOn: [],
    namedBy: "name",
    defaults: { forceDestroy: false },
    create: async (inputs) => {
      const UserName = textAt(inputs, "name");
      await iam.send(new CreateUserCommand({ UserName }));
      return { id: UserName, state: stateOf(UserName) };
    },
    read: async (id, state) => ((await exists(id)) ? { ...stateOf(id), ...addedByOthers(id, state) } : null),
    // Optional and not computed in the provider's schema: what a read finds and the program does not give is taken
    // away.
    refreshedInputs: ({ permissionsBoundary = null }) => (permissionsBoundary === null ? {} : { permissionsBoundary }),
    update: async (id, inputs) => {
      if (!("permissionsBoundary" in inputs)) settings.delete(`permissionsBoundary ${id}`);
      settings.set(`tags ${id}`, JSON.stringify(inputs["tags"] ?? {}));
      if (textAt(inputs, "name") !== id) throw new Error("this stand-in does not rename users");
      return stateOf(id);
    },
    delete: async (id, state) => {
      const keys = await listKeys(id);
      // AWS keeps a user that has keys; `forceDestroy` takes those first that Pulumi does not know.
      if (keys.length > 0 && state["forceDestroy"] !== true) {
        throw new Error(`DeleteConflict: user ${id} still has access keys`);
      }
      await Promise.all(keys.map((AccessKeyId) => iam.send(new DeleteAccessKeyCommand({ UserName: id, AccessKeyId }))));
      await orNull(iam.send(new DeleteUserCommand({ UserName: id })));
    },
  };
}

function stateOf(name: string) {
  return { name, arn: `arn:aws:iam::${accountId}:user/${name}`, uniqueId: `AIDA${name}` };
}

/** aws.iam.UserPolicy (internal/service/iam/user_policy.go): the policy in a user, and the server enforces it. */
export function userPolicyResource({ iam }: Account): Resource {
  const put = (inputs: Properties) =>
    iam.send(
      new PutUserPolicyCommand({
        UserName: textAt(inputs, "user"),
        PolicyName: textAt(inputs, "name"),
        PolicyDocument: textAt(inputs, "policy"),
      }),
    );
  return {
    replaceOn: ["name", "namePrefix", "user"],
    namedBy: "name",
    create: async (inputs) => {
      await put(inputs);
      return { id: `${textAt(inputs, "user")}:${textAt(inputs, "name")}`, state: {} };
    },
    read: async (_id, state) => {
      const names = { UserName: textAt(state, "user"), PolicyName: textAt(state, "name") };
      return (await orNull(iam.send(new GetUserPolicyCommand(names)))) ? state : null;
    },
    update: async (_id, inputs) => {
      await put(inputs);
      return inputs;
    },
    delete: async (_id, state) => {
      const names = { UserName: textAt(state, "user"), PolicyName: textAt(state, "name") };
      await orNull(iam.send(new DeleteUserPolicyCommand(names)));
    },
  };
}

/** aws.iam.AccessKey (internal/service/iam/access_key.go): AWS shows the secret once, at the creation. */
export function accessKeyResource({ iam, settings }: Account): Resource {
  return {
    replaceOn: ["user", "pgpKey"],
    defaults: { status: "Active" },
    create: async (inputs) => {
      const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: textAt(inputs, "user") }));
      if (AccessKey?.AccessKeyId === undefined || AccessKey.SecretAccessKey === undefined) {
        throw new Error("CreateAccessKey answered without a key");
      }
      return { id: AccessKey.AccessKeyId, state: { secret: AccessKey.SecretAccessKey, status: "Active" } };
    },
    read: async (id, state) => {
      const keys = await orNull(iam.send(new ListAccessKeysCommand({ UserName: textAt(state, "user") })));
      const isThere = keys?.AccessKeyMetadata?.some(({ AccessKeyId }) => AccessKeyId === id) === true;
      return isThere ? { ...state, status: settings.get(`status ${id}`) ?? "Active" } : null;
    },
    delete: async (id, state) => {
      await orNull(iam.send(new DeleteAccessKeyCommand({ UserName: textAt(state, "user"), AccessKeyId: id })));
    },
  };
}

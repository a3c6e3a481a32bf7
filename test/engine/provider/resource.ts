import type { Properties } from "./properties.ts";

/** What a stand-in knows about one resource type: the provider's facts that decide what the engine does with it. */
export type Resource = {
  /** Inputs whose change makes a new resource ("ForceNew" in the provider's schema). */
  readonly replaceOn: readonly string[];
  /** The provider itself wants the old one gone first. */
  readonly deleteBeforeReplace?: boolean;
  /** The input that gets a name of the engine's making when the program gives none. */
  readonly namedBy?: string;
  /** Inputs that the provider fills in when the program gives none. */
  readonly defaults?: Properties;
  /** What the provider refuses before anything is made. */
  complain?(inputs: Properties): Complaint[];
  create(inputs: Properties): Promise<Created>;
  /** The state that stands in the cloud, or null when it is gone. Without it a refresh believes the old state. */
  read?: (id: string, state: Properties) => Promise<Properties | null>;
  /** The inputs that a program would have to give for what is found: an `import` compares them with what it gives. */
  importedInputs?(id: string, state: Properties): Properties;
  /** Inputs that a refresh fills in from what it finds, though the program never gave them. */
  refreshedInputs?(state: Properties): Properties;
  update?: (id: string, inputs: Properties, state: Properties) => Promise<Properties>;
  delete(id: string, state: Properties): Promise<void>;
};

type Complaint = Readonly<{ property: string; reason: string }>;
type Created = Readonly<{ id: string; state: Properties }>;

/** One call that changes something. */
export type ProviderCall = Readonly<{ verb: "create" | "update" | "delete"; type: string; name: string }>;

/** What a program asks for with an invoke, `getCallerIdentity` for example. */
export type ProviderFunction = (inputs: Properties) => Promise<Properties>;

/**
 * The folder in which a provider runs: the engine starts it in that of the program (tried with the real hcloud
 * provider). A stand-in runs in the tests' process, so the test passes the folder to it.
 */
export type Workplace = { directory: string };

export type Provider = Readonly<{
  /** The version of the npm package that asks for it. */
  version: string;
  resources: Readonly<Record<string, Resource>>;
  functions?: Readonly<Record<string, ProviderFunction>>;
}>;

export type CloudRequest = Readonly<{ method: string; url: URL; body: unknown }>;
export type CloudAnswer = Readonly<{ status: number; body: unknown }>;

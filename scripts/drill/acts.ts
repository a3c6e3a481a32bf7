/** What can happen to a whole machine. */
export const actNames = ["lost", "kept", "rebuild", "frozen"] as const;
export type ActName = (typeof actNames)[number];

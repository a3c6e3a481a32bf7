/** Hetzner's locations; machine and volume stand in one of them. The first is where a stack goes that has chosen none. */
export const locations = ["fsn1", "nbg1", "hel1", "ash", "hil", "sin"] as const;

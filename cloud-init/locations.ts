/** Hetzner's locations, for machine and volume. The first is the default. */
export const locations = ["fsn1", "nbg1", "hel1", "ash", "hil", "sin"] as const;

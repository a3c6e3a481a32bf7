const mostTypos = 2;

/** The most similar of the names. Undefined when none is near. */
export function findNearName(typed: string, names: readonly string[]): string | undefined {
  const near = names
    .map((name) => ({ name, typos: countTypos(typed, name) }))
    .filter(({ name, typos }) => typos <= mostTypos && typos < name.length / 2)
    .toSorted((one, other) => one.typos - other.typos);
  return near[0]?.name;
}

/** How many letters were added, left out or changed. */
function countTypos(typed: string, meant: string): number {
  let row = Array.from({ length: meant.length + 1 }, (_, index) => index);
  for (const letter of typed) {
    const next = [(row[0] ?? 0) + 1];
    for (let index = 1; index <= meant.length; index += 1) {
      const changed = (row[index - 1] ?? 0) + (meant[index - 1] === letter ? 0 : 1);
      next.push(Math.min(changed, (row[index] ?? 0) + 1, (next[index - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[meant.length] ?? typed.length;
}

/** Of the label selectors only `name=value`, with commas between. */
export function passesSelector({ labels = {} }: { labels?: Record<string, string> }, query: URLSearchParams): boolean {
  const selector = query.get("label_selector");
  const wanted = selector === null || selector === "" ? [] : selector.split(",");
  return wanted.every((one) => {
    const [name = "", value] = one.split("=");
    return labels[name] === value;
  });
}

const texts = new WeakMap<object, string>();

/** The JSON text of an item, made once: items are immutable and keep their identity while they stay the same. */
export function textOf(item: object): string {
  let text = texts.get(item);
  if (text === undefined) {
    text = JSON.stringify(item);
    texts.set(item, text);
  }
  return text;
}

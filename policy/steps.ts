/** Work that may be left off between its steps, each of which is short: at once where nobody waits, in slices where somebody does. */
export type Steps<T> = Generator<undefined, T, undefined>;

export function finish<T>(steps: Steps<T>): T {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

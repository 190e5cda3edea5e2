// A reading of a process's /metrics, to be compared with an earlier one.

interface Sample {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
}

export class Figures {
  readonly #samples: readonly Sample[];

  private constructor(samples: readonly Sample[]) {
    this.#samples = samples;
  }

  static async of(url: string): Promise<Figures> {
    const text = await (await fetch(`${url}/metrics`)).text();
    const lines = [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)];
    return new Figures(lines.map(([, name = "", labels = "", value]) => ({ name, labels, value: Number(value) })));
  }

  /** Over all labels. */
  sum(name: string): number {
    return this.#of(name).reduce((sum, { value }) => sum + value, 0);
  }

  since(before: Figures, name: string): number {
    return this.sum(name) - before.sum(name);
  }

  /** What each value of the label has gained. */
  byLabel(before: Figures, name: string, label: string): Record<string, number> {
    const read = (figures: Figures) =>
      new Map(
        figures.#of(name).map(({ labels, value }) => [new RegExp(`${label}="([^"]*)"`).exec(labels)?.[1], value]),
      );
    const [was, is] = [read(before), read(this)];
    return Object.fromEntries(
      [...is]
        .map(([key = "", value]) => [key, value - (was.get(key) ?? 0)] as const)
        .filter(([, gained]) => gained > 0),
    );
  }

  #of(name: string): readonly Sample[] {
    return this.#samples.filter((sample) => sample.name === name);
  }
}

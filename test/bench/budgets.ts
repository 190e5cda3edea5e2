// What Holdfast may cost, as ratios of what others cost in the same run, and bytes a connection.

export interface Scenario {
  readonly name: string;
  readonly size: number;
  readonly window: number;
  /** Highest ratio of Holdfast's CPU a message to the other's, by contender; absent where there is no budget. */
  readonly budgets: Readonly<Record<string, number>>;
}

/** One message under way at a time is what a proxy meets in the field: each one costs it two wake-ups. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "128 B", size: 128, window: 1, budgets: { nginx: 1.8, haproxy: 1.5, "http-proxy": 1 } },
  { name: "16 KiB", size: 16_384, window: 1, budgets: { nginx: 1.8, haproxy: 1, "http-proxy": 1 } },
  { name: "128 B, 8 under way", size: 128, window: 8, budgets: { nginx: 1.8, haproxy: 1.5, "http-proxy": 1 } },
  { name: "16 KiB, 8 under way", size: 16_384, window: 8, budgets: { nginx: 1.8, haproxy: 1, "http-proxy": 1 } },
];

/** Bytes of resident memory for each idle connection, beyond the process without any. */
export const IDLE_BUDGET = 14 * 1024;

/** Highest ratio of the CPU a message with rates and sizes enforced to that without. */
export const LIMITS_BUDGET = 1.1;

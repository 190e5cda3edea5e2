import type { Cluster } from "../cluster.ts";
import type { TranslateOptions, Translation } from "./plan.ts";

/** From everything that is in the cluster to what each gateway shall serve and what each object shall be told. Pure. */
export function translate(_cluster: Cluster, _options: TranslateOptions): Translation {
  return { plans: [], gateways: [], routes: [] };
}

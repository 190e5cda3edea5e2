// A control plane, an operator in this process and gateway pods that only say what real ones would, for one test file.
import { createKubeClient, type KubeClient } from "../../kube/client.ts";
import { type ControlPlane, startControlPlane } from "./controlplane.ts";
import {
  apply,
  condition,
  gatewayTarget,
  installDefinitions,
  manifestsIn,
  type PretendedPod,
  pretendPod,
  type ReadSnapshot,
  readSnapshot,
  routeTarget,
  startTestOperator,
  type TestOperator,
  type WantedCondition,
  type WithStatus,
} from "./operator.ts";

export interface OperatorRig {
  readonly plane: ControlPlane;
  readonly client: KubeClient;
  /** Where everything is; its gateway is named `public` once a test has applied it. */
  readonly namespace: string;
  readonly manifests: ReturnType<typeof manifestsIn>;
  /** May be replaced by another one; `stop` stops the one that is here. */
  operator: TestOperator;
  /** By name; may be replaced likewise. */
  readonly pods: Map<string, PretendedPod>;
  apply(...objects: readonly object[]): Promise<void>;
  /** Another pod of the gateway, under this name. */
  addPod(name: string): void;
  /** Waits until the route's condition is this one, and resolves to the route. */
  routeIs(name: string, wanted: WantedCondition, withinMs?: number): Promise<WithStatus>;
  /** The same for the gateway. */
  gatewayIs(wanted: WantedCondition): Promise<WithStatus>;
  snapshot(): Promise<ReadSnapshot>;
  stop(): Promise<void>;
}

/** Starts them all, with pods of these names; nothing is left running when that fails. */
export async function startOperatorRig(...pods: readonly [string, ...string[]]): Promise<OperatorRig> {
  const plane = await startControlPlane();
  const client = createKubeClient({ kubeconfig: plane.kubeconfig });
  try {
    await installDefinitions(plane);
    const namespace = await plane.newNamespace();
    const rig = makeRig({ plane, client, namespace, operator: await startTestOperator(client) });
    for (const name of pods) rig.addPod(name);
    return rig;
  } catch (error) {
    client.close();
    await plane.stop();
    throw error;
  }
}

function makeRig(parts: Pick<OperatorRig, "plane" | "client" | "namespace" | "operator">): OperatorRig {
  const { plane, client, namespace } = parts;
  const pods: OperatorRig["pods"] = new Map();
  return {
    ...parts,
    manifests: manifestsIn(namespace),
    pods,
    apply: (...objects) => apply(plane, ...objects),
    addPod: (name) => void pods.set(name, pretendPod({ client, namespace, gateway: "public", name })),
    routeIs: (name, wanted, withinMs) => condition(client, routeTarget(namespace, name), wanted, withinMs),
    gatewayIs: (wanted) => condition(client, gatewayTarget(namespace), wanted),
    snapshot: () => readSnapshot(client, namespace, "public"),
    async stop() {
      await Promise.all([...pods.values()].map((pod) => pod.leave()));
      await this.operator.stop();
      client.close();
      await plane.stop();
    },
  };
}

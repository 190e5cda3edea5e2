// A control plane with controllers, and an operator that runs fleets on it, for one test file. There is no kubelet: pods come to be and
// stay Pending.
import type { WebSocketGatewayStatus } from "../../crds/websocketgateway.ts";
import { createKubeClient, type KubeClient } from "../../kube/client.ts";
import { isNotFound } from "../../kube/error.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { RESOURCES, type Resource } from "../../kube/resources.ts";
import { type ControlPlane, startControlPlane } from "./controlplane.ts";
import { eventually } from "./eventually.ts";
import {
  apply,
  condition,
  gatewayTarget,
  installDefinitions,
  manifestsIn,
  startTestOperator,
  type TestOperator,
  type WantedCondition,
  type WithStatus,
} from "./operator.ts";

export type FleetObject = KubeObject & {
  readonly spec: Readonly<Record<string, never>>;
  readonly rules?: readonly object[];
  readonly status?: WebSocketGatewayStatus & Readonly<Record<string, never>>;
};

/** Of the fleet's objects: the gateway is `public`. */
export const FLEET_NAME = "holdfast-public";
/** Controllers and garbage collection take their time on a busy machine. */
export const FLEET_WITHIN_MS = 20_000;
const WITHIN_MS = FLEET_WITHIN_MS;
const IMAGE = { image: "registry.example/holdfast:1", pullSecrets: [] };

export class FleetRig {
  readonly plane: ControlPlane;
  readonly client: KubeClient;
  /** Each test's own, which lets restricted pods in. */
  namespace = "";
  #operator: TestOperator | undefined;

  private constructor(plane: ControlPlane, client: KubeClient) {
    this.plane = plane;
    this.client = client;
  }

  /** Nothing is left running when that fails. */
  static async start(): Promise<FleetRig> {
    const plane = await startControlPlane({ controllerManager: "on" });
    const client = createKubeClient({ kubeconfig: plane.kubeconfig });
    try {
      await installDefinitions(plane);
      return new FleetRig(plane, client);
    } catch (error) {
      client.close();
      await plane.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.plane.stop();
  }

  /** Before each test. */
  async enter(): Promise<void> {
    this.namespace = await this.plane.newNamespace("edge");
    await this.plane.kubectl(["label", "namespace", this.namespace, "pod-security.kubernetes.io/enforce=restricted"]);
    this.#operator = await startTestOperator(this.client, { gatewayImage: IMAGE });
  }

  /** After each test. */
  async leave(): Promise<void> {
    await this.operator.stop();
    await this.client.delete(gatewayTarget(this.namespace));
  }

  get operator(): TestOperator {
    if (this.#operator === undefined) throw new Error("no test has begun");
    return this.#operator;
  }

  /** Has another operator do the work from now on: one that has no image for pods. */
  async replaceOperator(): Promise<void> {
    await this.operator.stop();
    this.#operator = await startTestOperator(this.client);
  }

  /** Replaces the gateway's spec as a whole. */
  async give(spec: object = {}): Promise<void> {
    const manifest = manifestsIn(this.namespace).gateway();
    await apply(this.plane, { ...manifest, spec: { ...manifest.spec, ...spec } });
  }

  find(resource: Resource, name = FLEET_NAME): Promise<FleetObject | undefined> {
    return this.client.get<FleetObject>({ resource, namespace: this.namespace, name }).catch((error) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  }

  appears(resource: Resource, name = FLEET_NAME): Promise<FleetObject> {
    return eventually(`${resource.kind} ${name} is there`, () => this.find(resource, name), WITHIN_MS);
  }

  disappears(resource: Resource, name = FLEET_NAME): Promise<unknown> {
    const isGone = async () => (await this.find(resource, name)) === undefined;
    return eventually(`${resource.kind} ${name} is gone`, isGone, WITHIN_MS);
  }

  replicas(count: number): Promise<unknown> {
    const has = async () => ((await this.find(RESOURCES.deployments))?.spec.replicas as unknown) === count;
    return eventually(`${count} replicas`, has, WITHIN_MS);
  }

  async podNames(): Promise<readonly string[]> {
    const pods = { resource: RESOURCES.pods, namespace: this.namespace };
    const { items } = await this.client.list(pods, { labelSelector: "holdfast.dev/role=pod" });
    return items.map(({ metadata }) => metadata.name);
  }

  /** Waits until there are so many, and resolves to their names. */
  pods(count: number): Promise<readonly string[]> {
    const counted = async () => {
      const names = await this.podNames();
      return names.length === count ? names : undefined;
    };
    return eventually(`${count} pods`, counted, WITHIN_MS);
  }

  async status(): Promise<FleetObject["status"]> {
    return (await this.client.get<FleetObject>(gatewayTarget(this.namespace))).status;
  }

  /** Waits until the gateway's condition is this one, and resolves to the gateway. */
  gatewayIs(wanted: WantedCondition): Promise<WithStatus> {
    return condition(this.client, gatewayTarget(this.namespace), wanted, WITHIN_MS);
  }

  /** Waits until the operator has nothing more to write, and resolves to how often it has written. */
  async settled(): Promise<number> {
    let [count, since] = [await this.operator.writes(), Date.now()];
    await eventually(
      "nothing is written for two seconds",
      async () => {
        const now = await this.operator.writes();
        if (now !== count) [count, since] = [now, Date.now()];
        return Date.now() - since >= 2_000;
      },
      WITHIN_MS,
    );
    return count;
  }
}

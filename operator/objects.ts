/** The parts of Kubernetes' own objects that Holdfast reads. Everything else in them is left alone. */
import type { KubeObject, ObjectMeta, OwnerReference } from "../kube/objects.ts";

export type { ObjectMeta, OwnerReference };
export type KubernetesObject = KubeObject;

export interface ServicePort {
  readonly name?: string | undefined;
  readonly port: number;
  readonly targetPort?: number | string | undefined;
  readonly protocol?: string | undefined;
}

export interface Service extends KubernetesObject {
  readonly spec?:
    | {
        readonly type?: string | undefined;
        readonly externalName?: string | undefined;
        readonly ipFamilies?: readonly string[] | undefined;
        readonly ports?: readonly ServicePort[] | undefined;
      }
    | undefined;
}

export interface EndpointSlice extends KubernetesObject {
  readonly addressType?: string | undefined;
  readonly endpoints?:
    | readonly {
        readonly addresses?: readonly string[] | undefined;
        /** An absent `ready` means ready (discovery.k8s.io/v1 EndpointConditions). */
        readonly conditions?: { readonly ready?: boolean | undefined } | undefined;
      }[]
    | null
    | undefined;
  readonly ports?:
    | readonly {
        readonly name?: string | undefined;
        readonly port?: number | undefined;
        readonly protocol?: string | undefined;
      }[]
    | null
    | undefined;
}

/** `data` is base64, as the API gives it; `stringData` is read too, because files have it. */
export interface Secret extends KubernetesObject {
  readonly type?: string | undefined;
  readonly data?: Readonly<Record<string, string>> | undefined;
  readonly stringData?: Readonly<Record<string, string>> | undefined;
}

export interface ConfigMap extends KubernetesObject {
  readonly data?: Readonly<Record<string, string>> | undefined;
  readonly binaryData?: Readonly<Record<string, string>> | undefined;
  readonly immutable?: boolean | undefined;
}

export type Namespace = KubernetesObject;

export interface ReferenceGrant extends KubernetesObject {
  readonly spec?:
    | {
        readonly from?: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
        readonly to?: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
      }
    | undefined;
}

export interface Lease extends KubernetesObject {
  readonly spec?:
    | {
        readonly holderIdentity?: string | undefined;
        readonly leaseDurationSeconds?: number | undefined;
        readonly renewTime?: string | undefined;
      }
    | undefined;
}

/** `namespace/name`: the key of every map in the cluster, and how people are told of an object. */
export function namespacedName(object: KubernetesObject): string {
  return `${object.metadata.namespace ?? "default"}/${object.metadata.name}`;
}

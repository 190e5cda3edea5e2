/** Names of the API as Kubernetes knows them; everything that spells a group, version or plural takes it from here. */
export const GROUP = "holdfast.dev";
export const VERSION = "v1alpha1";
export const API_VERSION = `${GROUP}/${VERSION}`;
export const CATEGORY = "holdfast";

/** Written into `status.parents[].controllerName`, and how the operator knows its own entries. */
export const CONTROLLER_NAME = `${GROUP}/operator`;

/** A WebSocketGateway with this annotation set to "true" takes the routes that name no parent. */
export const DEFAULT_GATEWAY_ANNOTATION = `${GROUP}/default-gateway`;

export const KINDS = {
  WebSocketRoute: { kind: "WebSocketRoute", plural: "websocketroutes", singular: "websocketroute", shortName: "wsr" },
  WebSocketGateway: {
    kind: "WebSocketGateway",
    plural: "websocketgateways",
    singular: "websocketgateway",
    shortName: "wsg",
  },
} as const;

export type Kind = keyof typeof KINDS;

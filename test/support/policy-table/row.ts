/** What one row of the policy table is: a policy, what a client does, and everything that can be seen of the outcome. */

/** A condition of the route's status that is not True. `says` is part of its message. */
export interface Complaint {
  readonly type: "Accepted" | "ResolvedRefs";
  readonly reason: string;
  readonly says: string;
}

/** What a client does on an open connection, one after the other. */
export type Step =
  /** Sends a text message. The backend sends it back, but for its commands (`policy-backends.ts`). */
  | { readonly send: string }
  /** Sends these bytes (hex) as they are, and no frame around them. */
  | { readonly raw: string }
  /** Waits for a message that holds this text. */
  | { readonly gets: string }
  /** Reads nothing any more, and answers nothing. */
  | { readonly stops: "reading" }
  /** A server's request to the API port; `{id}` is this connection's ID. */
  | { readonly api: string; readonly body: string };

/** A handshake, and what follows. In `target`, `headers` and steps `<name>` stands for the credential of that name. */
export interface Client {
  /** In words, for the reference. */
  readonly does: string;
  readonly method?: string;
  /** `/` where omitted. */
  readonly target?: string;
  /** Beside those of a handshake, or in place of them; undefined leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Connections that other clients have opened in the same way before, and keep. */
  readonly earlier?: number;
  /** Requests to the API port before the handshake. */
  readonly before?: readonly Step[];
  readonly steps?: readonly Step[];
}

/** How it ends: without a 101, by a close code, or not at all. */
export type End =
  | { readonly status: number; readonly reason: string; readonly headers?: Readonly<Record<string, RegExp>> }
  | {
      readonly code: number;
      readonly reason: string;
      readonly side: "client" | "backend" | "gateway";
      /** The code as a metric's label, where codes are folded. */
      readonly label?: string;
    }
  | { readonly open: "stays"; readonly protocol?: string };

/** A metric's line that the row adds to, beside those of its handshake and its end. */
export interface Extra {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Part of a log line of the gateway, where one is written. */
  readonly log?: Readonly<Record<string, string>>;
}

export interface Row {
  /** Also the name of its route, and the first label of its hostname. */
  readonly name: string;
  /** Fields of the route's spec, as lines of YAML. Its backend is `chat`, an echo, unless they say otherwise. */
  readonly spec: string;
  /** Ready where omitted. */
  readonly status?: Complaint;
  /** A route that nobody needs to connect to has neither. */
  readonly client?: Client;
  readonly end?: End;
  readonly extra?: Extra;
  /** Whether a metric can tell that it was this route: not where the handshake never gets to one. */
  readonly routed?: "no";
  /** Another route beside it, of this name and with these fields. */
  readonly beside?: { readonly name: string; readonly spec: string };
}

export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

/** The hostname of a row's route. */
export const hostOf = ({ name }: Row): string => `${name}.example.com`;

/** The namespace of all routes of the table. */
export const NAMESPACE = "apps";

/** The gateway's own settings, which all rows share. */
export const GATEWAY_SPEC = `listeners: [{name: ws, port: 8080, protocol: WS}]
allowedRoutes: {namespaces: {from: All}}
trustedProxies: [127.0.0.1/32]
defaults:
  origins: ["https://default.example"]
`;

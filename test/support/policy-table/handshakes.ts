/** Rows about handshakes: what is no handshake at all, which route it is for, and what the route takes. */
import type { Section } from "./row.ts";

const WRONG_REQUESTS: Section = {
  title: "Requests that are no handshake",
  rows: [
    {
      name: "plain-get",
      spec: "{}",
      client: { does: "asks for the path without an upgrade", headers: { Connection: "close", Upgrade: undefined } },
      end: { status: 426, reason: "UpgradeRequired", headers: { upgrade: /^websocket$/ } },
    },
    {
      name: "post",
      spec: "{}",
      client: { does: "sends a POST", method: "POST" },
      end: { status: 405, reason: "MethodNotAllowed", headers: { allow: /^GET$/ } },
      routed: "no",
    },
    {
      name: "version",
      spec: "{}",
      client: { does: "speaks another version", headers: { "Sec-WebSocket-Version": "8" } },
      end: { status: 426, reason: "UnsupportedVersion", headers: { "sec-websocket-version": /^13$/ } },
      routed: "no",
    },
    {
      name: "bad-key",
      spec: "{}",
      client: { does: "sends a key that is too short", headers: { "Sec-WebSocket-Key": "c2hvcnQ=" } },
      end: { status: 400, reason: "BadKey" },
      routed: "no",
    },
    {
      name: "two-upgrades",
      spec: "{}",
      client: { does: "asks for two protocols at once", headers: { Upgrade: "websocket, h2c" } },
      end: { status: 400, reason: "BadUpgrade" },
      routed: "no",
    },
    {
      name: "with-body",
      spec: "{}",
      client: { does: "announces a body", headers: { "Content-Length": "4" } },
      end: { status: 400, reason: "BodyNotAllowed" },
      routed: "no",
    },
    {
      name: "bad-target",
      spec: "{}",
      client: { does: "asks for a path that cannot be normalised", target: "/a%00b" },
      end: { status: 400, reason: "BadTarget" },
      routed: "no",
    },
    {
      name: "large-headers",
      spec: "{}",
      client: { does: "sends headers that are too large", headers: { "X-Large": "x".repeat(64 * 1024) } },
      end: { status: 431, reason: "HeadersTooLarge" },
      routed: "no",
    },
    {
      name: "no-host",
      spec: "{}",
      client: { does: "sends a malformed Host", headers: { Host: "a b" } },
      end: { status: 400, reason: "BadHost" },
      routed: "no",
    },
  ],
};

const MATCHES: Section = {
  title: "Hostnames, matches and what the backend sees",
  rows: [
    {
      name: "other-host",
      spec: "{}",
      client: { does: "names a host that no route has", headers: { Host: "nobody.example.org" } },
      end: { status: 404, reason: "NoRoute" },
      routed: "no",
    },
    {
      name: "wildcard",
      spec: 'hostnames: ["*.wildcard.example.com"]',
      client: { does: "names a host below the wildcard", headers: { Host: "a.b.wildcard.example.com" } },
      end: { open: "stays" },
    },
    {
      name: "exact-path",
      spec: "matches: [{path: {type: Exact, value: /ws}}]",
      client: { does: "asks for a path below an exact one", target: "/ws/more" },
      end: { status: 404, reason: "NoRoute" },
      routed: "no",
    },
    {
      name: "header-match",
      spec: "matches: [{headers: [{name: X-Tenant, value: acme}]}]",
      client: { does: "sends another header value", headers: { "X-Tenant": "other" } },
      end: { status: 404, reason: "NoRoute" },
      routed: "no",
    },
    {
      name: "query-match",
      spec: 'matches: [{queryParams: [{name: v, value: "2"}]}]',
      client: { does: "asks with the query parameter", target: "/?v=2" },
      end: { open: "stays" },
    },
    {
      name: "pattern",
      spec: "matches: [{path: {type: RegularExpression, value: '/rooms/[0-9]+'}}]",
      client: { does: "asks for a path that the pattern matches", target: "/rooms/42" },
      end: { open: "stays" },
    },
    {
      name: "rewrite",
      spec: "matches: [{path: {value: /ws}}]\nrewrite: {path: {type: ReplacePrefixMatch, value: /socket}, hostname: chat.internal}",
      client: {
        does: "connects; the backend sees another path and host",
        target: "/ws/room?a=1",
        steps: [{ send: "seen" }, { gets: '"url":"/socket/room?a=1","host":"chat.internal"' }],
      },
      end: { open: "stays" },
    },
    {
      name: "headers",
      spec: "requestHeaders: {set: [{name: X-Gateway, value: holdfast}], remove: [X-Debug]}",
      client: {
        does: "connects; the backend sees other headers",
        headers: { "X-Debug": "1", "X-Gateway": "mine" },
        steps: [{ send: "seen" }, { gets: '"x-gateway":"holdfast","x-debug":null' }],
      },
      end: { open: "stays" },
    },
  ],
};

const ADMISSION: Section = {
  title: "Subprotocols, origins and client addresses",
  rows: [
    {
      name: "protocol",
      spec: "protocols: [chat.v2, chat.v1]",
      client: {
        does: "offers a subprotocol that is allowed and one that is not",
        headers: { "Sec-WebSocket-Protocol": "mqtt, chat.v1" },
      },
      end: { open: "stays", protocol: "chat.v1" },
    },
    {
      name: "protocol-foreign",
      spec: "protocols: [chat.v2]",
      client: { does: "offers others only", headers: { "Sec-WebSocket-Protocol": "mqtt" } },
      end: { status: 400, reason: "ProtocolNotAllowed" },
    },
    {
      name: "origin",
      spec: 'origins: ["https://*.example.com"]',
      client: { does: "comes from an allowed page", headers: { Origin: "https://app.example.com" } },
      end: { open: "stays" },
    },
    {
      name: "origin-foreign",
      spec: 'origins: ["https://example.com"]',
      client: { does: "comes from a look-alike page", headers: { Origin: "https://example.com.evil" } },
      end: { status: 403, reason: "OriginDenied" },
    },
    {
      name: "origin-null",
      spec: 'origins: ["https://example.com"]',
      client: { does: "comes from a sandboxed page", headers: { Origin: "null" } },
      end: { status: 403, reason: "OriginDenied" },
    },
    {
      name: "origin-default",
      spec: "{}",
      client: {
        does: "comes from a page that the gateway's defaults do not allow",
        headers: { Origin: "https://example.com" },
      },
      end: { status: 403, reason: "OriginDenied" },
    },
    {
      name: "address-denied",
      spec: "clientIPs: {deny: [127.0.0.0/8]}",
      client: { does: "connects from a denied address" },
      end: { status: 403, reason: "ClientIPDenied" },
    },
    {
      name: "address-strange",
      spec: "clientIPs: {allow: [10.0.0.0/8]}",
      client: {
        does: "comes through a trusted proxy from an address that is not allowed",
        headers: { "X-Forwarded-For": "192.0.2.1" },
      },
      end: { status: 403, reason: "ClientIPDenied" },
    },
    {
      name: "address-allowed",
      spec: "clientIPs: {allow: [10.0.0.0/8]}",
      client: {
        does: "comes through a trusted proxy from an allowed address",
        headers: { "X-Forwarded-For": "192.0.2.1, 10.1.2.3" },
      },
      end: { open: "stays" },
    },
  ],
};

export const HANDSHAKES: readonly Section[] = [WRONG_REQUESTS, MATCHES, ADMISSION];

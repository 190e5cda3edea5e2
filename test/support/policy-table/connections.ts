/** Rows about backends, time, and frames that are not valid. */
import type { End, Section } from "./row.ts";

const to = (name: string, port = 3000): string => `backendRefs: [{name: ${name}, port: ${port}}]`;

const BACKENDS: Section = {
  title: "Backends",
  rows: [
    {
      name: "no-service",
      spec: to("absent"),
      status: { type: "ResolvedRefs", reason: "BackendNotFound", says: "apps/absent" },
      client: { does: "connects" },
      end: { status: 500, reason: "RouteNotResolved" },
    },
    {
      name: "no-port",
      spec: to("chat", 9),
      status: { type: "ResolvedRefs", reason: "BackendNotFound", says: "9" },
      client: { does: "connects" },
      end: { status: 500, reason: "RouteNotResolved" },
    },
    {
      name: "no-endpoints",
      spec: to("empty"),
      client: { does: "connects" },
      end: { status: 503, reason: "NoEndpoints", headers: { "retry-after": /^\d+$/ } },
    },
    {
      name: "refuses",
      spec: to("closed"),
      client: { does: "connects" },
      end: { status: 502, reason: "BackendRefused" },
    },
    {
      name: "vanished",
      spec: `${to("lost")}\ntimeouts: {connect: 300ms}`,
      client: { does: "connects; no packet comes back from the backend's address" },
      end: { status: 504, reason: "BackendTimeout" },
    },
    {
      name: "answers-late",
      spec: `${to("silent")}\ntimeouts: {handshake: 300ms}`,
      client: { does: "connects" },
      end: { status: 504, reason: "BackendTimeout" },
    },
    {
      name: "bad-101",
      spec: to("bad-101"),
      client: { does: "connects" },
      end: { status: 502, reason: "BackendBadHandshake" },
    },
    {
      name: "rejects",
      spec: to("rejecting"),
      client: { does: "connects; the backend's answer is relayed" },
      end: { status: 418, reason: "BackendRejected" },
    },
    {
      name: "dies",
      spec: "{}",
      client: { does: "is connected when the backend dies", steps: [{ send: "die" }] },
      end: { code: 1014, reason: "BackendLost", side: "backend" },
    },
    {
      name: "dies-in-a-frame",
      spec: "{}",
      client: { does: "is connected when the backend dies within a frame", steps: [{ send: "cut" }] },
      end: { code: 1006, reason: "BackendLostMidFrame", side: "backend" },
    },
    {
      name: "closes",
      spec: "{}",
      client: { does: "is closed by the backend", steps: [{ send: "close 4001" }] },
      end: { code: 4001, label: "4xxx", reason: "BackendClosed", side: "backend" },
    },
    {
      name: "breaks-rules",
      spec: "{}",
      client: { does: "is connected when the backend sends an invalid frame", steps: [{ send: "bad frame" }] },
      end: { code: 1014, reason: "BackendProtocolError", side: "backend" },
    },
  ],
};

const TIME: Section = {
  title: "Time",
  rows: [
    {
      name: "idle",
      spec: "timeouts: {idle: 1s}",
      client: { does: "sends nothing" },
      end: { code: 3008, reason: "IdleTimeout", side: "gateway" },
    },
    {
      name: "lifetime",
      spec: "timeouts: {maxLifetime: 1s}",
      client: { does: "stays", steps: [{ send: "hello" }] },
      end: { code: 1001, reason: "MaxLifetime", side: "gateway" },
    },
    {
      name: "keep-alive",
      spec: "keepAlive: {interval: 1s, timeout: 100ms}",
      client: { does: "vanishes without a word", steps: [{ stops: "reading" }] },
      end: { code: 3008, reason: "KeepAliveTimeout", side: "client" },
    },
  ],
};

const BROKEN: End = { code: 1002, reason: "ProtocolError", side: "client" };
/** First frames of a client, each against one rule of RFC 6455 §5. */
const INVALID: readonly (readonly [name: string, does: string, raw: string])[] = [
  ["unmasked", "sends a frame without a mask", "810568656c6c6f"],
  ["rsv", "sets a bit that no extension has negotiated", "c18500000000 68656c6c6f"],
  ["opcode", "sends an opcode that does not exist", "838000000000"],
  ["long-control", "sends a ping of 126 bytes", `89fe007e00000000${"00".repeat(126)}`],
  ["cut-control", "sends a ping in fragments", "098000000000"],
  ["continuation", "continues a message that was not begun", "808000000000"],
  ["interleaved", "begins a message within another", "018000000000 818000000000"],
  ["huge", "announces 2^63 bytes", "81ff800000000000000000000000"],
  ["bad-close", "closes with a code that must not be sent", "888200000000 03ed"],
];

const FRAMES: Section = {
  title: "Invalid frames",
  rows: INVALID.map(([name, does, raw]) => ({
    name: `frame-${name}`,
    spec: "{}",
    client: { does, steps: [{ raw }] },
    end: BROKEN,
  })),
};

const HUB: Section = {
  title: "A hub",
  rows: [
    {
      name: "hub",
      spec: "hub: {groups: [news]}",
      client: {
        does: "is sent what a server sends to its group",
        steps: [{ api: "/api/hubs/hub/groups/news/:send", body: "good news" }, { gets: "good news" }],
      },
      end: { open: "stays" },
    },
    {
      name: "hub-frame",
      spec: "hub: {groups: []}",
      client: { does: "sends a frame without a mask", steps: [{ raw: "810568656c6c6f" }] },
      end: BROKEN,
    },
  ],
};

export const CONNECTIONS: readonly Section[] = [BACKENDS, TIME, FRAMES, HUB];

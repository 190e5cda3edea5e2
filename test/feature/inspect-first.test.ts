/** The first connection of a route that reads messages waits until its policy is compiled; nothing is held for one that does not stay. */
import { describe, expect, it } from "@jest/globals";
import { eventually } from "../support/eventually.ts";
import { makeRoute, prefixMatch } from "../support/make-route.ts";
import { CHAT } from "../support/make-snapshot.ts";
import { handshakeText, rawConnect, rawRequest } from "../support/raw-client.ts";
import { createRig } from "../support/rig.ts";

const rig = createRig();

/** Patterns take long, each some milliseconds, and are different in each route. */
const slow = (name: string): string =>
  JSON.stringify({
    properties: Object.fromEntries(
      Array.from({ length: 99 }, (_, index) => [`p${index}`, { pattern: `^(?i)${"\\pL".repeat(6)}${name}${index}$` }]),
    ),
  });

const route = (name: string, schema: string, { handshake = 10_000, total = 1 } = {}) => {
  const base = makeRoute();
  return {
    ...base,
    name,
    matches: [prefixMatch(`/${name}`)],
    limits: { ...base.limits, connections: { total } },
    timeouts: { ...base.timeouts, handshake },
    messages: {
      accept: ["Text" as const],
      schema,
      allow: [],
      transform: {},
      onInvalid: "Close" as const,
      mode: "Enforce" as const,
    },
  };
};

async function start(...routes: ReturnType<typeof route>[]) {
  const backend = await rig.backend();
  const gateway = await rig.gateway({ routes: [...routes, makeRoute()], backends: { [CHAT]: [backend.port] } });
  return { backend, gateway };
}

describe("the first connection", () => {
  it("is served by the compiled policy, and others go on meanwhile", async () => {
    const { gateway } = await start(route("slow", slow("a")));
    const other = await rig.client(gateway.url("/"));
    let isOpen = false;
    const opening = rig.client(gateway.url("/slow")).then((client) => {
      isOpen = true;
      return client;
    });
    let answers = 0;
    while (!isOpen) {
      await other.ask("ping");
      answers += 1;
    }
    expect(answers).toBeGreaterThan(10);
    const { ask, socket, closed } = await opening;
    expect(`${await ask('{"a":1}')}`).toBe('{"a":1}');
    socket.send('{"p1":"no"}');
    expect((await closed).code).toBe(1007);
  });

  it("that leaves while it waits gives its permit back and never reaches the backend", async () => {
    const { gateway, backend } = await start(route("slow", slow("b")));
    const client = await rawConnect(gateway.port);
    client.socket.write(handshakeText({ target: "/slow" }));
    await eventually("the permit is taken", async () => {
      const reply = await rawRequest(gateway.port, handshakeText({ target: "/slow" }));
      return reply.status === 503 && JSON.parse(reply.body).reason === "TooManyConnections";
    });
    client.socket.destroy();
    await eventually("it is noticed", () => gateway.lines("refusal").some(({ reason }) => reason === "ClientGone"));
    expect(backend.requests).toHaveLength(0);
    await rig.client(gateway.url("/slow"));
  });

  it("does not wait for longer than a handshake may take", async () => {
    const { gateway, backend } = await start(route("slow", slow("c"), { handshake: 1 }));
    const reply = await rawRequest(gateway.port, handshakeText({ target: "/slow" }));
    expect([reply.status, JSON.parse(reply.body).reason]).toEqual([503, "Overloaded"]);
    expect(backend.requests).toHaveLength(0);
  });

  it("of a policy that cannot be compiled gets 500 and gives its permit back; the log says why, once", async () => {
    const { gateway, backend } = await start(route("bad", '{"tpye": 1}'));
    for (let time = 0; time < 3; time += 1) {
      const reply = await rawRequest(gateway.port, handshakeText({ target: "/bad" }));
      expect([reply.status, JSON.parse(reply.body).reason]).toEqual([500, "RouteNotResolved"]);
    }
    expect(gateway.lines("message")).toEqual([
      expect.objectContaining({
        route: "apps/bad",
        problems: [{ field: "schema", message: 'unknown keyword: "tpye"' }],
      }),
    ]);
    expect(backend.requests).toHaveLength(0);
  });

  it("that waits when the gateway closes is refused", async () => {
    const { gateway, backend } = await start(route("slow", slow("d")));
    const client = await rawConnect(gateway.port);
    client.socket.write(handshakeText({ target: "/slow" }));
    await eventually("the permit is taken", async () => {
      const reply = await rawRequest(gateway.port, handshakeText({ target: "/slow" }));
      return reply.status === 503 && JSON.parse(reply.body).reason === "TooManyConnections";
    });
    await Promise.all([gateway.gateway.close(), client.rest()]);
    expect(client.received().toString()).not.toContain("101");
    expect(backend.requests).toHaveLength(0);
  });
});

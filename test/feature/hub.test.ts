// Plain clients on a hub: they join the groups of their route and receive what is sent there.
import { randomBytes } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { maskFrame, textFrame } from "../../gateway/tunnel/frames.ts";
import { eventually } from "../support/eventually.ts";
import { hubRoute, listen, startHubGateway } from "../support/hub-gateway.ts";
import { prefixMatch } from "../support/make-route.ts";
import { handshakeText, rawConnect } from "../support/raw-client.ts";
import { createRig } from "../support/rig.ts";

const rig = createRig();
const limits = hubRoute().limits;

describe("a hub", () => {
  it("sends to the members of a group, to nobody else, in order", async () => {
    const gateway = await startHubGateway(rig, {
      routes: [
        hubRoute({ name: "news", matches: [prefixMatch("/news")] }),
        hubRoute({ name: "games", matches: [prefixMatch("/games")], hub: { name: "live", groups: ["games"] } }),
        hubRoute({ name: "both", matches: [prefixMatch("/both")], hub: { name: "live", groups: ["news", "games"] } }),
        hubRoute({ name: "other", matches: [prefixMatch("/other")], hub: { name: "other", groups: ["news"] } }),
      ],
    });
    const [news, games, both, other] = await Promise.all(
      ["/news", "/games", "/both", "/other"].map((path) => listen(rig, gateway.url(path))),
    );
    for (const message of ["1", "2", "3"]) await gateway.send("news", `news ${message}`);
    await gateway.send("games", "game over");
    await gateway.call("other/:send", { body: "last" });
    expect(await news!.until(3)).toEqual(["news 1", "news 2", "news 3"]);
    expect(await games!.until(1)).toEqual(["game over"]);
    expect(await both!.until(4)).toEqual(["news 1", "news 2", "news 3", "game over"]);
    expect(await other!.until(1)).toEqual(["last"]);
  });

  it("sends to everybody of the hub once, also to who is in no group or in several", async () => {
    const gateway = await startHubGateway(rig, {
      routes: [
        hubRoute({ name: "none", matches: [prefixMatch("/none")], hub: { name: "live", groups: [] } }),
        hubRoute({ name: "two", matches: [prefixMatch("/two")], hub: { name: "live", groups: ["a", "b"] } }),
      ],
    });
    const none = await listen(rig, gateway.url("/none"));
    const two = await listen(rig, gateway.url("/two"));
    await gateway.call("live/:send", { body: "hello" });
    await gateway.call("live/:send", { body: "end" });
    expect(await none.until(2)).toEqual(["hello", "end"]);
    expect(await two.until(2)).toEqual(["hello", "end"]);
  });

  it("gives text and JSON as text messages and octets as binary ones, of any length", async () => {
    const gateway = await startHubGateway(rig);
    const client = await listen(rig, gateway.url());
    const json = { headers: { "Content-Type": "application/json" } };
    const octets = { headers: { "Content-Type": "application/octet-stream" } };
    const bytes = randomBytes(100_000);
    await gateway.call("live/groups/news/:send", { body: "grüße" });
    await gateway.call("live/groups/news/:send", { ...json, body: '{"a": 1}' });
    await gateway.call("live/groups/news/:send", { ...octets, body: bytes });
    await gateway.call("live/groups/news/:send", { ...octets, body: "" });
    expect(await client.until(4)).toEqual(["grüße", '{"a": 1}', `hex ${bytes.toString("hex")}`, "hex "]);
  });

  it("answers the handshake with the connection ID, the chosen protocol and no compression", async () => {
    const gateway = await startHubGateway(rig, { routes: [hubRoute({ protocols: ["news.v2", "news.v1"] })] });
    const client = await listen(rig, gateway.url(), { protocols: ["news.v1", "news.v2"], perMessageDeflate: true });
    expect(client.headers["holdfast-connection-id"]).toMatch(/^[\w-]+~[\w-]+\.[\w-]+$/);
    expect(client.headers["set-cookie"]?.[0]).toMatch(/^holdfast-id=/);
    expect(client.headers["sec-websocket-protocol"]).toBe("news.v2");
    expect(client.headers["sec-websocket-extensions"]).toBeUndefined();
    await gateway.send("news", "hello");
    expect(await client.until(1)).toEqual(["hello"]);
  });

  it("counts and drops what a plain client says", async () => {
    const gateway = await startHubGateway(rig);
    const [speaker, listener] = await Promise.all([listen(rig, gateway.url()), listen(rig, gateway.url())]);
    speaker.socket.send("is anybody there?");
    await speaker.close();
    const line = await gateway.line("connection");
    expect(line).toMatchObject({ reason: "ClientClosed", code: 1000, messagesFromClient: 1, messagesToClient: 0 });
    expect(line.bytesFromClient).toBeGreaterThan(17);
    await gateway.send("news", "only this");
    expect(await listener.until(1)).toEqual(["only this"]);
  });

  it("counts what it sends, frame headers included", async () => {
    const gateway = await startHubGateway(rig);
    const client = await listen(rig, gateway.url());
    await gateway.send("news", "12345");
    await client.until(1);
    await client.close();
    expect(await gateway.line("connection")).toMatchObject({ messagesToClient: 1, bytesToClient: 7 });
  });

  it("has forgotten a client that has gone", async () => {
    const gateway = await startHubGateway(rig);
    const [leaving, staying] = [await listen(rig, gateway.url()), await listen(rig, gateway.url())];
    leaving.socket.terminate();
    await eventually("the client is gone", () => gateway.gateway.connections === 1);
    await gateway.send("news", "still here");
    expect(await staying.until(1)).toEqual(["still here"]);
    expect(await gateway.line("connection")).toMatchObject({ reason: "ClientLost", code: 1006, messagesToClient: 0 });
  });

  it.each([
    ["a message over the limit", maskFrame(textFrame("x".repeat(101)), randomBytes(4)), 1009, "MessageTooBig"],
    ["text that is not UTF-8", maskFrame(textFrame(Buffer.from([0xff])), randomBytes(4)), 1007, "InvalidPayload"],
    ["an unmasked frame", textFrame("hello"), 1002, "ProtocolError"],
    ["a reserved opcode", Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002, "ProtocolError"],
  ])("closes on %s", async (_what, bytes, code, reason) => {
    const gateway = await startHubGateway(rig, { routes: [hubRoute({ limits: { ...limits, maxMessageSize: 100 } })] });
    const client = await rawConnect(gateway.port);
    client.socket.write(handshakeText());
    const head = await client.head();
    client.socket.write(bytes);
    const answer = (await client.rest()).subarray(head.length + 4);
    expect([answer[0], answer.readUInt16BE(2)]).toEqual([0x88, code]);
    expect(await gateway.line("connection")).toMatchObject({ reason, code });
  });

  it("closes on endless tiny fragments (C15)", async () => {
    const gateway = await startHubGateway(rig);
    const client = await rawConnect(gateway.port);
    client.socket.write(handshakeText());
    const head = await client.head();
    const first = Buffer.from([0x01, 0x80, 0, 0, 0, 0]);
    const more = Buffer.from([0x00, 0x80, 0, 0, 0, 0]);
    client.socket.write(Buffer.concat([first, ...Array.from({ length: 2_000 }, () => more)]));
    const answer = (await client.rest()).subarray(head.length + 4);
    expect([answer[0], answer.readUInt16BE(2)]).toEqual([0x88, 1008]);
    expect(await gateway.line("connection")).toMatchObject({ reason: "PolicyViolation", code: 1008 });
  });

  it("sends clients away with 1012 when the gateway drains", async () => {
    const gateway = await startHubGateway(rig);
    const client = await listen(rig, gateway.url());
    await gateway.gateway.drain();
    expect(await client.closed).toEqual({ code: 1012, reason: "service restart" });
    expect(await gateway.line("connection")).toMatchObject({ reason: "Draining", code: 1012 });
  });

  it("pings a silent client and ends it when it does not answer (C3)", async () => {
    const keepAlive = { interval: 200, timeout: 200 };
    const gateway = await startHubGateway(rig, { routes: [hubRoute({ keepAlive })], gateway: { sweepPeriod: 20 } });
    const answering = await listen(rig, gateway.url());
    const silent = await listen(rig, gateway.url(), { autoPong: false });
    expect((await silent.closed).code).toBe(3008);
    expect(answering.socket.readyState).toBe(answering.socket.OPEN);
    expect(await gateway.line("connection")).toMatchObject({ reason: "KeepAliveTimeout", code: 3008 });
  });
});

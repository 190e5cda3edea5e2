// The API port: who may send, what may be sent, and what a caller is told when it may not.
import { describe, expect, it } from "@jest/globals";
import { BusUnavailable } from "../../gateway/bus/bus.ts";
import { createMemoryBus } from "../../gateway/bus/bus-memory.ts";
import { MAX_BODY } from "../../gateway/ports/api.ts";
import { hubRoute, listen, startHubGateway } from "../support/hub-gateway.ts";
import { rawConnect } from "../support/raw-client.ts";
import { createRig } from "../support/rig.ts";

const rig = createRig();

async function problem(response: Response): Promise<{ status: number; reason: string; detail: string }> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const document = (await response.json()) as { status: number; reason: string; detail: string };
  expect(document.status).toBe(response.status);
  return document;
}

describe("the API", () => {
  it("takes a message with 202, whatever api-version says and however the names are escaped", async () => {
    const hub = { name: "my hub", groups: ["a/b ü"] };
    const gateway = await startHubGateway(rig, { routes: [hubRoute({ hub })] });
    const client = await listen(rig, gateway.url());
    const response = await gateway.call("my%20hub/groups/a%2Fb%20%C3%BC/:send?api-version=2024-12-01", {
      headers: { "Content-Type": "Text/Plain; Charset=UTF-8" },
      body: "hello",
    });
    expect([response.status, await response.text()]).toEqual([202, ""]);
    expect(await client.until(1)).toEqual(["hello"]);
  });

  it("takes a message for which nobody is there", async () => {
    const gateway = await startHubGateway(rig);
    expect((await gateway.call("nobody/groups/nothing/:send")).status).toBe(202);
  });

  it.each([
    ["no token", undefined],
    ["another token", "Bearer another-token"],
    ["a longer token", "Bearer a-token-for-tests-"],
    ["an empty token", "Bearer "],
    ["another scheme", "Basic a-token-for-tests"],
    ["two tokens", "Bearer a-token-for-tests a-token-for-tests"],
  ])("answers 401 to %s, for known and unknown paths alike", async (_what, authorization) => {
    const gateway = await startHubGateway(rig);
    for (const path of ["live/:send", "nothing-here"]) {
      const response = await gateway.call(path, { headers: { Authorization: authorization ?? "" } });
      expect(await problem(response)).toMatchObject({ status: 401, reason: "Unauthenticated" });
      expect(response.headers.get("www-authenticate")).toBe('Bearer realm="holdfast"');
    }
  });

  it.each([
    "live",
    "live/groups/news",
    "live/groups//:send",
    "live/groups/%ff/:send",
    "live/groups/a/b/:send",
    `live/groups/${"x".repeat(1025)}/:send`,
    "live/users/ann/:send",
  ])("answers 404 to %s", async (path) => {
    const gateway = await startHubGateway(rig);
    expect(await problem(await gateway.call(path))).toMatchObject({ status: 404, reason: "NotFound" });
  });

  it("answers 405 with Allow to another method", async () => {
    const gateway = await startHubGateway(rig);
    const response = await gateway.call("live/:send", { method: "PUT" });
    expect(await problem(response)).toMatchObject({ status: 405, reason: "MethodNotAllowed" });
    expect(response.headers.get("allow")).toBe("POST");
  });

  it.each(["", "text/html", "application/json; charset=latin1", "multipart/form-data; boundary=x"])(
    "answers 415 to the content type '%s'",
    async (contentType) => {
      const gateway = await startHubGateway(rig);
      const response = await gateway.call("live/:send", { headers: { "Content-Type": contentType } });
      expect(await problem(response)).toMatchObject({ status: 415, reason: "UnsupportedMediaType" });
      expect(response.headers.get("accept-post")).toContain("application/json");
    },
  );

  it.each([
    ["text/plain", Buffer.from([0xc3, 0x28]), "the body is not UTF-8; send bytes as application/octet-stream"],
    ["application/json", '{"a":', "the body is not JSON: "],
    ["application/json", "", "the body is not JSON: "],
  ])("answers 400 to broken %s", async (contentType, body, detail) => {
    const gateway = await startHubGateway(rig);
    const response = await gateway.call("live/:send", { headers: { "Content-Type": contentType }, body });
    const document = await problem(response);
    expect(document).toMatchObject({ status: 400, reason: "BadRequest" });
    expect(document.detail).toContain(detail);
  });

  it("takes a body of the greatest size and answers 413 to one byte more, with and without its length", async () => {
    const gateway = await startHubGateway(rig);
    const client = await listen(rig, gateway.url());
    const octets = { headers: { "Content-Type": "application/octet-stream" } };
    const path = "live/groups/news/:send";
    expect((await gateway.call(path, { ...octets, body: Buffer.alloc(MAX_BODY) })).status).toBe(202);
    const tooMuch = Buffer.alloc(MAX_BODY + 1);
    expect(await problem(await gateway.call(path, { ...octets, body: tooMuch }))).toMatchObject({
      status: 413,
      reason: "MessageTooBig",
    });
    const chunked = { ...octets, body: new Blob([tooMuch]).stream(), duplex: "half" } as RequestInit;
    expect((await gateway.call(path, chunked)).status).toBe(413);
    await gateway.send("news", "small");
    const [greatest, small] = await client.until(2);
    expect([greatest?.length, small]).toEqual(["hex ".length + 2 * MAX_BODY, "small"]);
  });

  it("survives a caller that goes away in mid-body", async () => {
    const gateway = await startHubGateway(rig);
    const caller = await rawConnect(gateway.gateway.ports.api as number);
    caller.socket.write(
      "POST /api/hubs/live/:send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-token-for-tests\r\n" +
        "Content-Type: text/plain\r\nContent-Length: 10\r\n\r\nhal",
    );
    caller.socket.resetAndDestroy();
    expect((await gateway.call("live/:send")).status).toBe(202);
  });

  it("answers 503 with Retry-After while the bus is down, and clients of this process still get the message", async () => {
    const bus = {
      ...createMemoryBus(),
      up: false,
      subscribe: async () => ({ unsubscribe: async () => {} }),
      publish: () => Promise.reject(new BusUnavailable("Redis cannot be reached")),
      onState: () => {},
      close: async () => {},
    };
    const gateway = await startHubGateway(rig, { bus });
    const client = await listen(rig, gateway.url());
    const response = await gateway.call("live/groups/news/:send", { body: "local" });
    const document = await problem(response);
    expect(document).toMatchObject({ status: 503, reason: "BusUnavailable" });
    expect(document.detail).toContain("Redis cannot be reached");
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await client.until(1)).toEqual(["local"]);
  });
});

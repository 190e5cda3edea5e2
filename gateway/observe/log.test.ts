import { describe, expect, it } from "@jest/globals";
import { clip, createLog, redactTarget } from "./log.ts";

describe("redactTarget", () => {
  it("keeps the path and nothing of the query, not even a name", () => {
    expect(redactTarget("/ws/chat?token=secret&a")).toBe("/ws/chat?[redacted]");
    expect(redactTarget("/ws/chat")).toBe("/ws/chat");
  });
});

describe("clip", () => {
  it("bounds what a client can put into a line", () => {
    expect(clip("a".repeat(10_000))?.length).toBeLessThan(300);
    expect(clip("short")).toBe("short");
    expect(clip(undefined)).toBeUndefined();
  });
});

describe("createLog", () => {
  it("writes one JSON object a line, at and above its level", () => {
    const lines: string[] = [];
    const log = createLog({ level: "info", destination: { write: (line) => void lines.push(line) } });
    log.debug({ event: "a" }, "not written");
    log.info({ event: "b" }, "written\nwhole");
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] as string)).toMatchObject({ event: "b", msg: "written\nwhole" });
  });

  it("cuts the signature off a connection ID, whatever the line is about", () => {
    const lines: string[] = [];
    const log = createLog({ level: "info", destination: { write: (line) => void lines.push(line) } });
    log.info({ event: "anything", connectionId: "seed~signature.nonce" });
    expect(JSON.parse(lines[0] as string)).toMatchObject({ connectionId: "seed.nonce" });
  });
});

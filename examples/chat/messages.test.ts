import { describe, expect, it } from "@jest/globals";
import { MAX_NAME, MAX_TEXT, readMessage } from "./messages.ts";

describe("a message of the chat", () => {
  it.each([
    ['{"type":"hello","name":"  Ann \\n Lee "}', { type: "hello", name: "Ann Lee" }],
    ['{"type":"hello","name":"  "}', { type: "hello", name: "somebody" }],
    ['{"type":"say","text":" hello\\nyou "}', { type: "say", text: "hello\nyou" }],
  ])("%s is read", (json, message) => {
    expect(readMessage(json)).toEqual(message);
  });

  it.each([
    "",
    "[]",
    "null",
    '"hello"',
    "{}",
    '{"type":"hello"}',
    '{"type":"say","text":1}',
    '{"type":"say","text":"  "}',
    '{"type":"welcome"}',
  ])("%s is none", (json) => {
    expect(readMessage(json)).toBeUndefined();
  });

  it("is cut to its bounds between characters", () => {
    expect(readMessage(JSON.stringify({ type: "hello", name: "🌊".repeat(40) }))).toEqual({
      type: "hello",
      name: "🌊".repeat(MAX_NAME),
    });
    expect(readMessage(JSON.stringify({ type: "say", text: "x".repeat(3_000) }))).toEqual({
      type: "say",
      text: "x".repeat(MAX_TEXT),
    });
  });
});

/** What the chat and its page say to each other: JSON text messages. Reading them is pure. */

export const MAX_NAME = 32;
export const MAX_TEXT = 2_000;

/** From a browser. `hello` comes first and may come again, under another name. */
export type FromClient =
  | { readonly type: "hello"; readonly name: string }
  | { readonly type: "say"; readonly text: string };

/** One line of the conversation; `at` is milliseconds since 1970. */
export interface Said {
  readonly type: "said";
  readonly name: string;
  readonly text: string;
  readonly at: number;
}

/** To a browser. */
export type ToClient =
  | Said
  | {
      readonly type: "welcome";
      readonly name: string;
      /** As the gateway gave it in Holdfast-Connection-Id; absent without a gateway. */
      readonly connectionId?: string;
      readonly people: readonly string[];
      readonly recent: readonly Said[];
    }
  | { readonly type: "joined" | "left"; readonly name: string; readonly people: readonly string[] }
  | { readonly type: "renamed"; readonly from: string; readonly name: string; readonly people: readonly string[] };

/** Undefined for what is not a message of the chat. Names and texts are trimmed and cut to their bounds. */
export function readMessage(json: string): FromClient | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("type" in value)) return undefined;
  if (value.type === "hello" && "name" in value && typeof value.name === "string") {
    return { type: "hello", name: shorten(value.name.replace(/\s+/g, " "), MAX_NAME) || "somebody" };
  }
  if (value.type === "say" && "text" in value && typeof value.text === "string") {
    const text = shorten(value.text, MAX_TEXT);
    return text === "" ? undefined : { type: "say", text };
  }
  return undefined;
}

/** By characters as people count them at worst, so that no emoji is cut in two. */
function shorten(text: string, length: number): string {
  return [...text.trim()].slice(0, length).join("");
}

import { describe, expect, it } from "@jest/globals";
import { intersectHostnames } from "./hostnames.ts";

describe("intersectHostnames", () => {
  it.each([
    ["any listener, any route", undefined, undefined, []],
    ["any listener keeps the route's", undefined, ["a.example.com", "*.b"], ["a.example.com", "*.b"]],
    ["a route for any host gets the listener's", "*.example.com", undefined, ["*.example.com"]],
    ["the same name", "a.example.com", ["a.example.com"], ["a.example.com"]],
    ["another name", "a.example.com", ["b.example.com"], undefined],
    ["a wildcard over the route's name", "*.example.com", ["a.example.com"], ["a.example.com"]],
    ["a wildcard covers several labels", "*.example.com", ["a.b.example.com"], ["a.b.example.com"]],
    ["a wildcard does not cover its own suffix", "*.example.com", ["example.com"], undefined],
    ["a wildcard does not cover a look-alike", "*.example.com", ["badexample.com"], undefined],
    ["the route's wildcard over the listener's name", "a.example.com", ["*.example.com"], ["a.example.com"]],
    ["the narrower of two wildcards", "*.example.com", ["*.a.example.com"], ["*.a.example.com"]],
    ["the narrower of two wildcards, the other way", "*.a.example.com", ["*.example.com"], ["*.a.example.com"]],
    ["two wildcards apart", "*.example.com", ["*.example.org"], undefined],
    ["only what fits, once", "*.example.com", ["*.com", "*.example.com", "x.org"], ["*.example.com"]],
  ])("%s", (_what, listener, route, expected) => {
    expect(intersectHostnames(listener, route)).toEqual(expected);
  });
});

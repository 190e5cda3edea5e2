import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { durationOrNaN, parseDuration, parseQuantity, quantityOrNaN } from "./primitives.ts";

describe("parseDuration", () => {
  it.each([
    ["0s", 0],
    ["500ms", 500],
    ["30s", 30_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1_500],
    ["1.1s", 1_100],
    ["0.1ms", 1],
    ["1m0.0001s", 60_001],
    ["8760h", 31_536_000_000],
  ])("reads %s as %d ms", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.each(["", "30", "-1s", "1 s", "1d", "1us", ".5s", "1.s", "s", "1e3s", "1sx"])("refuses %j", (text) => {
    expect(() => parseDuration(text)).toThrow(JSON.stringify(text));
    expect(durationOrNaN(text)).toBeNaN();
  });

  it("reads back every whole number of milliseconds, in whatever units it is written", () => {
    const parts = fc.record({ h: fc.nat(9999), m: fc.nat(9999), s: fc.nat(9999), ms: fc.nat(9999) });
    fc.assert(
      fc.property(parts, ({ h, m, s, ms }) => {
        const ofUnits = parseDuration(`${h}h`) + parseDuration(`${m}m`) + parseDuration(`${s}s`) + ms;
        expect(parseDuration(`${h}h${m}m${s}s${ms}ms`)).toBe(ofUnits);
        expect(parseDuration(`${ms}ms${s}s${m}m${h}h`)).toBe(ofUnits);
        expect(parseDuration(`${ofUnits}ms`)).toBe(ofUnits);
      }),
    );
  });

  it("agrees on decimal seconds and the milliseconds they are", () => {
    fc.assert(
      fc.property(fc.nat(10_000_000), (ms) => {
        const seconds = `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, "0")}`;
        expect(parseDuration(`${seconds}s`)).toBe(ms);
      }),
    );
  });
});

describe("parseQuantity", () => {
  it.each([
    ["0", 0],
    [65536, 65536],
    ["64Ki", 65536],
    ["1Mi", 1048576],
    ["1.5Ki", 1536],
    ["1k", 1000],
    ["1.1k", 1100],
    ["0.0001k", 1],
    ["4Gi", 4294967296],
    ["1T", 1_000_000_000_000],
  ])("reads %j as %d bytes", (value, bytes) => {
    expect(parseQuantity(value)).toBe(bytes);
  });

  it.each(["", "64KB", "64kb", "-1", "1e3", "100m", "1 Ki", "Ki", ".5Ki", -1, 1.5e300])("refuses %j", (value) => {
    expect(() => parseQuantity(value)).toThrow(JSON.stringify(value));
  });

  it("is NaN for what is no text of a size", () => {
    expect(quantityOrNaN("64KB")).toBeNaN();
    expect(quantityOrNaN("64Ki")).toBe(65536);
  });

  it("grows by 1024 from one binary unit to the next and by 1000 from one decimal unit to the next", () => {
    fc.assert(
      fc.property(fc.nat(1000), (count) => {
        for (const [small, large] of ["Ki Mi", "Mi Gi", "Gi Ti"].map((pair) => pair.split(" "))) {
          expect(parseQuantity(`${count}${large}`)).toBe(parseQuantity(`${count * 1024}${small}`));
        }
        for (const [small, large] of ["k M", "M G", "G T"].map((pair) => pair.split(" "))) {
          expect(parseQuantity(`${count}${large}`)).toBe(parseQuantity(`${count * 1000}${small}`));
        }
      }),
    );
  });
});

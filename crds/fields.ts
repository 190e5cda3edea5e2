/** The scalar fields that both kinds are made of: each with its bounds, its pattern and one readable message. */
import { isIP, isIPv6 } from "node:net";
import { z } from "zod";
import { DURATION, durationOrNaN, QUANTITY, quantityOrNaN } from "./primitives.ts";
import { celPattern, EDITOR_PATTERN, type Rule, withRules } from "./rules.ts";

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const HOSTNAME = /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const ORIGIN =
  /^[a-z][-a-z0-9+.]*:\/\/((\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$/;
const CIDR = /^[0-9a-fA-F:.]+\/(0|[1-9][0-9]{0,2})$/;
/** RFC 9110 §5.6.2 token. */
const TOKEN = /^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 §5.5: no control characters except tab. */
const HEADER_VALUE = /^([^\p{Cc}]|\t)*$/u;
const HTTP_URL = /^https?:\/\/[^\s/?#@]+(\/[^\s#]*)?$/;

/** A string with a pattern that the API server states as a rule, so that its message is for people. */
export function patterned(options: { pattern: RegExp; max: number; message: string }): z.ZodString {
  const { pattern, max, message } = options;
  const rule: Rule<string> = {
    cel: `self.matches(${celPattern(pattern)})`,
    message,
    holds: (value) => pattern.test(value),
  };
  return withRules(
    z
      .string()
      .min(1)
      .max(max)
      .meta({ [EDITOR_PATTERN]: pattern.source }),
    rule,
  );
}

/** A Go-style duration within bounds; with `off`, zero is allowed too and `off` says what it does. */
export function duration(options: { min: string; max: string; off?: string }): z.ZodString {
  const { min, max, off } = options;
  const [least, most] = [durationOrNaN(min), durationOrNaN(max)];
  const within = `duration(self) >= duration('${min}') && duration(self) <= duration('${max}')`;
  const allowed = off === undefined ? within : `(duration(self) == duration('0s') || (${within}))`;
  return withRules(
    z
      .string()
      .min(1)
      .max(20)
      .meta({ [EDITOR_PATTERN]: DURATION.source }),
    {
      cel: `self.matches(${celPattern(DURATION)}) && ${allowed}`,
      message: `must be a duration such as 500ms or 1h30m, from ${min} to ${max}${off === undefined ? "" : `, or 0s ${off}`}`,
      holds: (value) => {
        const ms = durationOrNaN(value);
        return (ms >= least && ms <= most) || (off !== undefined && ms === 0);
      },
    },
  );
}

/** Guards a rule that compares durations: what is none is for the field's own rule to say. */
export function celUnlessMalformed(fields: readonly string[], rule: string): string {
  const malformed = fields.map((field) => `has(self.${field}) && !self.${field}.matches(${celPattern(DURATION)})`);
  return [...malformed.map((test) => `(${test})`), rule].join(" || ");
}

/** A size in bytes as a quantity or a number, within bounds. */
export function size(options: { min: string; max: string }): z.ZodType<string | number> {
  const { min, max } = options;
  const [least, most] = [quantityOrNaN(min), quantityOrNaN(max)];
  const message = "must be a size such as 64Ki, 1.5M or 65536";
  const either = z
    .union([z.int(), z.string().max(20).regex(QUANTITY, message)], { error: message })
    .meta({ "x-kubernetes-int-or-string": true });
  const bound = (limit: string, comparison: string): string =>
    `quantity(string(self)).compareTo(quantity('${limit}')) ${comparison} 0`;
  return withRules(either, {
    cel: `!isQuantity(string(self)) || (${bound(min, ">=")} && ${bound(max, "<=")})`,
    message: `must be from ${min} to ${max} bytes`,
    // What is not a size at all is for the pattern to say; CEL's estimated cost has no room for it here.
    holds: (value) => !(quantityOrNaN(value) < least || quantityOrNaN(value) > most),
  });
}

/** The name of an object of another kind (DNS subdomain, RFC 1123). */
export const objectName = (): z.ZodString =>
  patterned({
    pattern: DNS_SUBDOMAIN,
    max: 253,
    message: "must be an object's name: lower-case letters and digits, with - and . between",
  });

/** A namespace, or a listener's name (DNS label, RFC 1123). */
export const label = (): z.ZodString =>
  patterned({ pattern: DNS_LABEL, max: 63, message: "must be lower-case letters and digits, with - between" });

/** A key in the data of a Secret or ConfigMap. */
export const dataKey = (): z.ZodString =>
  patterned({
    pattern: /^[-._a-zA-Z0-9]+$/,
    max: 253,
    message: "must be a key of the object's data: letters, digits, -, _ and .",
  });

export const portNumber = (): z.ZodInt => z.int().min(1).max(65535);

export const token = (): z.ZodString =>
  patterned({ pattern: TOKEN, max: 256, message: "must be an HTTP token: letters, digits and !#$%&'*+-.^_`|~" });

export const headerValue = (): z.ZodString =>
  withRules(
    z
      .string()
      .max(4096)
      .meta({ [EDITOR_PATTERN]: HEADER_VALUE.source }),
    {
      cel: `self.matches(${celPattern(HEADER_VALUE)})`,
      message: "must be a header's value, without control characters",
      holds: (value) => HEADER_VALUE.test(value),
    },
  );

/** An exact host name, or one whose first label is the wildcard. */
export const hostname = (): z.ZodString =>
  withRules(
    z
      .string()
      .min(1)
      .max(253)
      .meta({ [EDITOR_PATTERN]: HOSTNAME.source }),
    {
      cel: `self.matches(${celPattern(HOSTNAME)}) && !isIP(self)`,
      message: "must be a DNS name in lower case such as chat.example.com or *.example.com, not an address",
      holds: (value) => HOSTNAME.test(value) && isIP(value) === 0,
    },
  );

/** A serialised origin (RFC 6454 §6.2) as browsers send it: no path, and no port where it is the scheme's own. */
export const origin = (): z.ZodString =>
  withRules(
    z
      .string()
      .min(1)
      .max(300)
      .meta({ [EDITOR_PATTERN]: ORIGIN.source }),
    {
      cel: `self.matches(${celPattern(ORIGIN)})`,
      message: "must be an origin in lower case such as https://example.com or https://*.example.com, without a path",
      holds: (value) => ORIGIN.test(value),
    },
    {
      cel: "!(self.startsWith('https://') && self.endsWith(':443')) && !(self.startsWith('http://') && self.endsWith(':80'))",
      message: "must leave out the scheme's own port, as browsers do",
      holds: (value) => !/^https:\/\/.*:443$|^http:\/\/.*:80$/.test(value),
    },
  );

/** Addresses in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3). */
export const cidr = (): z.ZodString =>
  withRules(
    z
      .string()
      .min(1)
      .max(50)
      .meta({ [EDITOR_PATTERN]: CIDR.source }),
    {
      cel: "isCIDR(self)",
      message: "must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32; one address is 192.0.2.1/32",
      holds: isCIDR,
    },
  );

export const httpURL = (): z.ZodString =>
  patterned({
    pattern: HTTP_URL,
    max: 2048,
    message: "must be an http or https URL without user, password or fragment",
  });

function isCIDR(text: string): boolean {
  if (!CIDR.test(text)) return false;
  const [address = "", prefix = ""] = text.split("/");
  // Kubernetes' isCIDR refuses IPv4-mapped addresses, which would match neither family.
  const mapped = /^[0:]*:ffff:([0-9.]+|[0-9a-f]{1,4}:[0-9a-f]{1,4})$/i.test(address);
  if (mapped || isIP(address) === 0) return false;
  return Number(prefix) <= (isIPv6(address) ? 128 : 32);
}

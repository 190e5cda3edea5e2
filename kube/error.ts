import type { Status } from "./objects.ts";

/** What the API server answered instead of success, or that it did not answer (`status` 0). */
export class KubeError extends Error {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Kubernetes' own word (`NotFound`, `Conflict`, `Expired`, …), or `Unreachable`, `Timeout`, `BadAnswer`. */
  readonly reason: string;
  /** Seconds that the server asked to wait. */
  readonly retryAfter: number | undefined;

  constructor(status: number, reason: string, message: string, options: { retryAfter?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "KubeError";
    this.status = status;
    this.reason = reason;
    this.retryAfter = options.retryAfter;
  }
}

const REASON_BY_STATUS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  410: "Expired",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** A KubeError from a Status object: the body of a failed request, or the object of an ERROR event. */
export function errorFromStatus(status: Status, fallbackCode: number): KubeError {
  const code = status.code ?? fallbackCode;
  const reason = status.reason || REASON_BY_STATUS[code] || "Unknown";
  const seconds = status.details?.retryAfterSeconds;
  return new KubeError(code, reason, status.message || `the API server answered ${code}`, {
    ...(seconds === undefined ? {} : { retryAfter: seconds }),
  });
}

/** The resource version asked for is no longer kept: only a new list helps. Older servers say `Gone`. */
export function isExpired(error: unknown): boolean {
  return error instanceof KubeError && (error.status === 410 || error.reason === "Expired" || error.reason === "Gone");
}

export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404;
}

export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409;
}

/** A role is missing; the message says who lacks which one. */
export function isForbidden(error: unknown): error is KubeError {
  return error instanceof KubeError && error.status === 403;
}

/** Self-signed certificates, made by openssl in a folder that is gone again. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface CertificateText {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

/** A certificate for these DNS names. */
export function makeCertificate(...names: string[]): CertificateText {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-cert-"));
  const [cert, key] = [join(folder, "tls.crt"), join(folder, "tls.key")];
  const alternatives = names.map((name) => `DNS:${name}`).join(",");
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const subject = ["-subj", `/CN=${names[0]}`, "-addext", `subjectAltName=${alternatives}`];
  try {
    const args = ["req", "-x509", ...curve, ...subject, "-days", "2", "-keyout", key, "-out", cert];
    execFileSync("openssl", args, { stdio: "pipe" });
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

#!/bin/sh
# Makes a certificate for localhost that nobody trusts, as the Secret that gateway.yaml names, in secret.yaml beside it.
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$work/tls.key" -out "$work/tls.crt" 2>/dev/null
umask 077
cat >"$folder/secret.yaml" <<YAML
apiVersion: v1
kind: Secret
metadata:
  name: localhost-tls
type: kubernetes.io/tls
data:
  tls.crt: $(base64 <"$work/tls.crt" | tr -d '\n')
  tls.key: $(base64 <"$work/tls.key" | tr -d '\n')
YAML
echo "wrote $folder/secret.yaml"

{{- define "holdfast.redis" -}}
{{- $redis := .Values.redis -}}
{{- $ways := list $redis.url $redis.secretRef $redis.embedded.enabled | compact -}}
{{- if gt (len $ways) 1 -}}
{{- fail "set one of redis.url, redis.secretRef and redis.embedded.enabled, not several" -}}
{{- end -}}
{{- if $redis.url -}}
{{- dict "url" $redis.url | toJson -}}
{{- else if $redis.secretRef -}}
{{- dict "secretRef" $redis.secretRef | toJson -}}
{{- else if $redis.embedded.enabled -}}
{{- dict "url" (printf "redis://%s.%s.svc:6379" (include "holdfast.redisName" .) .Release.Namespace) | toJson -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{/* The spec of the default gateway: only what is set, so that the rest stays at the API's defaults. */}}
{{- define "holdfast.gatewaySpec" -}}
{{- $gateway := .Values.gateway -}}
{{- $spec := dict "listeners" $gateway.listeners -}}
{{- $autoscaling := $gateway.autoscaling -}}
{{- if $autoscaling.enabled -}}
{{- $scale := pick $autoscaling "min" "max" "connectionsPerPod" -}}
{{- if $autoscaling.keda.enabled -}}
{{- $_ := set $scale "scaler" "External" -}}
{{- end -}}
{{- $_ := set $spec "autoscaling" $scale -}}
{{- else -}}
{{- $_ := set $spec "replicas" (int $gateway.replicas) -}}
{{- end -}}
{{- $blocks := pick $gateway "allowedRoutes" "service" "drain" "defaults" "trustedProxies" "podTemplate" -}}
{{- $_ := set $blocks "redis" (include "holdfast.redis" . | fromJson) -}}
{{- range $name, $block := $blocks -}}
{{- if $block -}}
{{- $_ := set $spec $name $block -}}
{{- end -}}
{{- end -}}
{{- toYaml $spec -}}
{{- end -}}

{{- define "holdfast.gatewayManifest" -}}
apiVersion: holdfast.dev/v1alpha1
kind: WebSocketGateway
metadata:
  name: {{ .Values.gateway.name }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "holdfast.labels" (dict "root" . "component" "gateway") | nindent 4 }}
  annotations:
    holdfast.dev/default-gateway: "true"
    {{- with .Values.gateway.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec: {{- include "holdfast.gatewaySpec" . | nindent 2 }}
{{- end -}}

{{- define "photongate.name" -}}
{{- if contains "photongate" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-photongate" (.Release.Name | trunc 41 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- define "photongate.selector" -}}
app.kubernetes.io/name: photongate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "photongate.labels" -}}
{{ include "photongate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "photongate.config" -}}
{{- $own := dict "admin" (printf "0.0.0.0:%v" .Values.adminPort) "drain_delay" (printf "%vs" .Values.drainDelaySeconds) "drain_timeout" (printf "%vs" .Values.drainTimeoutSeconds) }}
{{- if not (or .Values.config.listeners .Values.config.listen) }}
{{- $_ := set $own "listen" (printf "0.0.0.0:%v" .Values.port) }}
{{- end }}
{{- mergeOverwrite (deepCopy .Values.config) $own | toYaml }}
{{- end }}

{{- define "keyward.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "keyward.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Pods that serve; selectors of everything that must not take jobs and tests for servers. */ -}}
{{- define "keyward.server" -}}
{{ include "keyward.selector" . }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "keyward.labels" -}}
{{ include "keyward.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "keyward.meta" -}}
name: {{ include "keyward.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "keyward.labels" . | nindent 2 }}
{{- end -}}

{{- define "keyward.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "keyward.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "keyward.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "keyward.tlsSecret" -}}
{{- if eq .Values.tls.source "certManager" -}}
{{- include "keyward.fullname" . }}-tls
{{- else -}}
{{- .Values.tls.existingSecret -}}
{{- end -}}
{{- end -}}

{{- define "keyward.tls" -}}
{{- if ne .Values.tls.source "none" -}}true{{- end -}}
{{- end -}}

{{- define "keyward.cluster" -}}
{{- if eq .Values.mode "cluster" -}}true{{- end -}}
{{- end -}}

{{- /* The callers, with the one that a trial gets when none are given. */ -}}
{{- define "keyward.callers" -}}
{{- $made := dict "id" "trial" "tenants" (list "*") "tokenSecret" (dict "name" (include "keyward.trialSecret" .) "key" "token.sha256") -}}
{{- .Values.callers | default (list $made) | toJson -}}
{{- end -}}

{{- define "keyward.trialSecret" -}}
{{- include "keyward.fullname" . }}-trial-caller
{{- end -}}

{{- define "keyward.madeCaller" -}}
{{- if and (eq .Values.mode "trial") (not .Values.callers) -}}true{{- end -}}
{{- end -}}

{{- /* Whether there is a caller for `helm test` to be. */ -}}
{{- define "keyward.tested" -}}
{{- if or (include "keyward.madeCaller" .) .Values.test.tokenSecret.name .Values.test.certificateSecret -}}true{{- end -}}
{{- end -}}

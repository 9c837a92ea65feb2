{{- /* Restricted Pod Security Standard; users of the image are 65532. */ -}}
{{- define "keyward.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "keyward.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "keyward.placement" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "keyward.mounts" -}}
- name: settings
  mountPath: /etc/keyward/settings
  readOnly: true
- name: callers
  mountPath: /etc/keyward/callers
  readOnly: true
{{- if include "keyward.tls" . }}
- name: tls
  mountPath: /etc/keyward/tls
  readOnly: true
{{- end }}
{{- if .Values.tls.clientAuthorities.existingSecret }}
- name: client-ca
  mountPath: /etc/keyward/client-ca
  readOnly: true
{{- end }}
{{- if .Values.policy.existingConfigMap }}
- name: policy
  mountPath: /etc/keyward/policy
  readOnly: true
{{- end }}
{{- if .Values.passkeys.attestationRoots.existingConfigMap }}
- name: attestation
  mountPath: /etc/keyward/attestation
  readOnly: true
{{- end }}
{{- if .Values.keys.existingSecret }}
- name: keys
  mountPath: /etc/keyward/keys
  readOnly: true
{{- end }}
{{- include "keyward.storeMounts" . }}
{{- end -}}

{{- /* What logging in to a store needs, as sources of one volume; nothing where it needs nothing. */ -}}
{{- define "keyward.storeSources" -}}
{{- $store := get .root.Values .name -}}
{{- $secrets := list -}}
{{- with $store.passwordSecret -}}
{{- $secrets = append $secrets (dict "name" .name "items" (list (dict "key" .key "path" "password"))) -}}
{{- end -}}
{{- with $store.authorities -}}
{{- $secrets = append $secrets (dict "name" .existingSecret "items" (list (dict "key" .key "path" "ca.crt"))) -}}
{{- end -}}
{{- $pair := list (dict "key" "tls.crt" "path" "tls.crt") (dict "key" "tls.key" "path" "tls.key") -}}
{{- $secrets = append $secrets (dict "name" $store.clientCertificateSecret "items" $pair) -}}
{{- with $store.sentinelPasswordSecret -}}
{{- $secrets = append $secrets (dict "name" .name "items" (list (dict "key" .key "path" "sentinel-password"))) -}}
{{- end -}}
{{- range $secrets }}
{{- if .name }}
- secret:
    name: {{ .name }}
    items:
      {{- toYaml .items | nindent 6 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "keyward.storeMounts" -}}
{{- if include "keyward.cluster" . }}
{{- range $name := list "redis" "postgres" }}
{{- if include "keyward.storeSources" (dict "name" $name "root" $) }}
- name: {{ $name }}
  mountPath: /etc/keyward/{{ $name }}
  readOnly: true
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "keyward.storeVolumes" -}}
{{- if include "keyward.cluster" . }}
{{- range $name := list "redis" "postgres" }}
{{- with include "keyward.storeSources" (dict "name" $name "root" $) }}
- name: {{ $name }}
  projected:
    defaultMode: 0440
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "keyward.volumes" -}}
- name: settings
  configMap:
    name: {{ include "keyward.fullname" . }}
- name: callers
  projected:
    defaultMode: 0440
    sources:
      {{- range $index, $caller := include "keyward.callers" . | fromJsonArray }}
      {{- with $caller.tokenSecret }}
      - secret:
          name: {{ .name }}
          items:
            - key: {{ .key }}
              path: {{ $index }}.sha256
      {{- end }}
      {{- end }}
{{- if include "keyward.tls" . }}
- name: tls
  secret:
    secretName: {{ include "keyward.tlsSecret" . }}
    defaultMode: 0440
{{- end }}
{{- with .Values.tls.clientAuthorities }}
{{- if .existingSecret }}
- name: client-ca
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ .key }}
        path: ca.crt
{{- end }}
{{- end }}
{{- with .Values.policy }}
{{- if .existingConfigMap }}
- name: policy
  configMap:
    name: {{ .existingConfigMap }}
    items:
      - key: {{ .key }}
        path: policy.cedar
{{- end }}
{{- end }}
{{- with .Values.passkeys.attestationRoots.existingConfigMap }}
- name: attestation
  configMap:
    name: {{ . }}
{{- end }}
{{- with .Values.keys }}
{{- if .existingSecret }}
- name: keys
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ .ringKey }}
        path: key-ring
      - key: {{ .tokenKey }}
        path: token-key.der
      - key: {{ .auditKey }}
        path: audit-key.der
{{- end }}
{{- end }}
{{- include "keyward.storeVolumes" . }}
{{- end -}}

{{- /* The pod of a server: the same for trials and clusters, but for where its data is. */ -}}
{{- define "keyward.podTemplate" -}}
metadata:
  labels:
    {{- include "keyward.server" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Settings need a restart. Certificates, tokens and policies are read again by themselves.
    checksum/settings: {{ include "keyward.settings" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "keyward.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add 5 (int .Values.shutdown.preStopSeconds) (int .Values.shutdown.noticeSeconds) (int .Values.shutdown.drainSeconds) }}
  securityContext:
    {{- include "keyward.podSecurity" . | nindent 4 }}
  {{- include "keyward.placement" . | nindent 2 }}
  {{- if include "keyward.cluster" . }}
  {{- with .Values.topologySpread.keys }}
  topologySpreadConstraints:
    {{- range . }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: {{ ternary "DoNotSchedule" "ScheduleAnyway" $.Values.topologySpread.strict }}
      labelSelector:
        matchLabels:
          {{- include "keyward.server" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- end }}
  containers:
    - name: keyward
      image: {{ include "keyward.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve]
      env:
        - name: KEYWARD_CONFIG
          value: /etc/keyward/settings/keyward.toml
      ports:
        - name: grpc
          containerPort: 50051
        - name: health
          containerPort: 50052
        - name: http
          containerPort: 9464
      # The kubelet's probes speak no TLS: health has a port of its own, which serves nothing else. Starting is over when the
      # process answers: one that waits for Redis is not ready, and is not killed for it.
      startupProbe:
        grpc:
          port: 50052
          service: liveness
        periodSeconds: 2
        failureThreshold: 60
      readinessProbe:
        grpc:
          port: 50052
          service: readiness
        periodSeconds: 5
        timeoutSeconds: 2
        failureThreshold: 2
      livenessProbe:
        grpc:
          port: 50052
          service: liveness
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      lifecycle:
        preStop:
          sleep:
            seconds: {{ .Values.shutdown.preStopSeconds }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- include "keyward.containerSecurity" . | nindent 8 }}
      volumeMounts:
        {{- include "keyward.mounts" . | nindent 8 }}
        - name: data
          mountPath: /var/lib/keyward
  volumes:
    {{- include "keyward.volumes" . | nindent 4 }}
{{- end -}}

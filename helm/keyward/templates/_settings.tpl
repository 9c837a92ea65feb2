{{- /* A value as TOML. JSON's strings, numbers, booleans and lists of them are TOML as they are; tables are not. */ -}}
{{- define "keyward.toml" -}}
{{- if kindIs "map" . -}}
{ {{- range $i, $key := keys . | sortAlpha }}{{ if $i }},{{ end }} {{ $key }} = {{ include "keyward.toml" (get $ $key) }}{{ end }} }
{{- else if kindIs "slice" . -}}
[{{- range $i, $item := . }}{{ if $i }}, {{ end }}{{ include "keyward.toml" $item }}{{ end }}]
{{- else -}}
{{- toJson . -}}
{{- end -}}
{{- end -}}

{{- /* What the chart itself sets, as JSON. */ -}}
{{- define "keyward.managed" -}}
{{- $v := .Values -}}
{{- $server := dict "listen" "0.0.0.0:50051" "health_listen" "0.0.0.0:50052" -}}
{{- $_ := set $server "shutdown_notice_ms" (mul 1000 (int $v.shutdown.noticeSeconds)) -}}
{{- $_ := set $server "drain_ms" (mul 1000 (int $v.shutdown.drainSeconds)) -}}
{{- if include "keyward.tls" . -}}
{{- $_ := set $server "tls_certificate_file" "/etc/keyward/tls/tls.crt" -}}
{{- $_ := set $server "tls_key_file" "/etc/keyward/tls/tls.key" -}}
{{- if $v.tls.clientAuthorities.existingSecret -}}
{{- $_ := set $server "tls_client_ca_file" "/etc/keyward/client-ca/ca.crt" -}}
{{- $_ := set $server "tls_require_client_certificate" $v.tls.clientAuthorities.required -}}
{{- end -}}
{{- else -}}
{{- $_ := set $server "allow_plaintext_beyond_loopback" true -}}
{{- end -}}
{{- $out := dict "server" $server "http" (dict "listen" "0.0.0.0:9464") -}}
{{- $_ := set $out "store" (dict "data_dir" "/var/lib/keyward/data") -}}
{{- $passkeys := dict "rp_id" $v.passkeys.rpId "rp_name" $v.passkeys.rpName "origins" $v.passkeys.origins -}}
{{- with $v.passkeys.attestationRoots -}}
{{- if .existingConfigMap -}}
{{- $files := list -}}
{{- range .keys -}}{{- $files = append $files (printf "/etc/keyward/attestation/%s" .) -}}{{- end -}}
{{- $_ := set $passkeys "attestation_root_files" $files -}}
{{- end -}}
{{- end -}}
{{- $_ := set $out "passkeys" $passkeys -}}
{{- $telemetry := dict "log_format" "json" "log_filter" $v.telemetry.logFilter "trace_sample_ratio" $v.telemetry.traceSampleRatio -}}
{{- if $v.telemetry.otlpEndpoint -}}{{- $_ := set $telemetry "otlp_endpoint" $v.telemetry.otlpEndpoint -}}{{- end -}}
{{- $_ := set $out "telemetry" $telemetry -}}
{{- if $v.policy.existingConfigMap -}}{{- $_ := set $out "policy" (dict "file" "/etc/keyward/policy/policy.cedar") -}}{{- end -}}
{{- if $v.keys.existingSecret -}}
{{- $_ := set $out "keys" (dict "key_ring_file" "/etc/keyward/keys/key-ring" "token_signing_key_file" "/etc/keyward/keys/token-key.der") -}}
{{- $_ := set $out "audit" (dict "signing_key_file" "/etc/keyward/keys/audit-key.der") -}}
{{- end -}}
{{- if include "keyward.cluster" . -}}
{{- $_ := set $out.store "hot" "redis" -}}
{{- $_ := set $out.store "durable" "postgres" -}}
{{- $postgres := dict "url" $v.postgres.url "tls" $v.postgres.tls -}}
{{- if $v.postgres.passwordSecret.name -}}{{- $_ := set $postgres "password_file" "/etc/keyward/postgres/password" -}}{{- end -}}
{{- if $v.postgres.authorities.existingSecret -}}{{- $_ := set $postgres "tls_ca_file" "/etc/keyward/postgres/ca.crt" -}}{{- end -}}
{{- if $v.postgres.clientCertificateSecret -}}
{{- $_ := set $postgres "tls_certificate_file" "/etc/keyward/postgres/tls.crt" -}}
{{- $_ := set $postgres "tls_key_file" "/etc/keyward/postgres/tls.key" -}}
{{- end -}}
{{- $_ := set $out "postgres" $postgres -}}
{{- $redis := dict "mode" $v.redis.mode -}}
{{- if eq $v.redis.mode "standalone" -}}{{- $_ := set $redis "url" $v.redis.url -}}{{- else -}}{{- $_ := set $redis "nodes" $v.redis.nodes -}}{{- end -}}
{{- if eq $v.redis.mode "sentinel" -}}{{- $_ := set $redis "sentinel_master" $v.redis.sentinelMaster -}}{{- end -}}
{{- if $v.redis.authorities.existingSecret -}}{{- $_ := set $redis "tls_ca_file" "/etc/keyward/redis/ca.crt" -}}{{- end -}}
{{- if $v.redis.username -}}{{- $_ := set $redis "username" $v.redis.username -}}{{- end -}}
{{- if $v.redis.passwordSecret.name -}}{{- $_ := set $redis "password_file" "/etc/keyward/redis/password" -}}{{- end -}}
{{- if $v.redis.clientCertificateSecret -}}
{{- $_ := set $redis "tls_certificate_file" "/etc/keyward/redis/tls.crt" -}}
{{- $_ := set $redis "tls_key_file" "/etc/keyward/redis/tls.key" -}}
{{- end -}}
{{- if $v.redis.sentinelUsername -}}{{- $_ := set $redis "sentinel_username" $v.redis.sentinelUsername -}}{{- end -}}
{{- if $v.redis.sentinelPasswordSecret.name -}}
{{- $_ := set $redis "sentinel_password_file" "/etc/keyward/redis/sentinel-password" -}}
{{- end -}}
{{- $_ := set $out "redis" $redis -}}
{{- end -}}
{{- $out | toJson -}}
{{- end -}}

{{- /* keyward.toml. */ -}}
{{- define "keyward.settings" -}}
{{- $all := include "keyward.managed" . | fromJson -}}
{{- range $section, $keys := .Values.settings -}}
{{- if not (kindIs "map" $keys) -}}{{- fail (printf "settings.%s must be a section with keys" $section) -}}{{- end -}}
{{- $ours := get $all $section | default dict -}}
{{- range $key, $value := $keys -}}
{{- if hasKey $ours $key -}}{{- fail (printf "settings.%s.%s is set by the chart: use the chart's own value for it" $section $key) -}}{{- end -}}
{{- $_ := set $ours $key $value -}}
{{- end -}}
{{- $_ := set $all $section $ours -}}
{{- end -}}
{{- range $index, $caller := include "keyward.callers" . | fromJsonArray }}
[[callers]]
id = {{ toJson $caller.id }}
tenants = {{ toJson $caller.tenants }}
{{- if $caller.tokenSecret }}
token_sha256_file = "/etc/keyward/callers/{{ $index }}.sha256"
{{- end }}
{{- if $caller.certificateSan }}
certificate_san = {{ toJson $caller.certificateSan }}
{{- end }}
{{- if $caller.audit }}
audit = true
{{- end }}
{{ end }}
{{- range $section := keys $all | sortAlpha }}
[{{ $section }}]
{{- $keys := get $all $section }}
{{- range $key := keys $keys | sortAlpha }}
{{ $key }} = {{ include "keyward.toml" (get $keys $key) }}
{{- end }}
{{ end }}
{{- end -}}

{{- /* What the schema cannot say. Each message names the value. */ -}}
{{- define "keyward.checks" -}}
{{- $v := .Values -}}
{{- if eq $v.mode "cluster" -}}
{{- $_ := required "postgres.url is required in mode cluster" $v.postgres.url -}}
{{- if eq $v.redis.mode "standalone" -}}
{{- $_ := required "redis.url is required in mode cluster with redis.mode standalone" $v.redis.url -}}
{{- else if not $v.redis.nodes -}}
{{- fail (printf "redis.nodes is required with redis.mode %s" $v.redis.mode) -}}
{{- end -}}
{{- if eq $v.redis.mode "sentinel" -}}
{{- $_ := required "redis.sentinelMaster is required with redis.mode sentinel" $v.redis.sentinelMaster -}}
{{- end -}}
{{- if and $v.postgres.authorities.existingSecret (eq $v.postgres.tls "off") -}}
{{- fail "postgres.authorities.existingSecret is of no use with postgres.tls off" -}}
{{- end -}}
{{- $_ := required "keys.existingSecret is required in mode cluster: replicas share one key ring" $v.keys.existingSecret -}}
{{- if not $v.callers -}}{{- fail "callers is required in mode cluster: name at least one service that may call" -}}{{- end -}}
{{- if and (eq $v.tls.source "none") (not $v.tls.allowPlaintext) -}}
{{- fail "tls.source is none: set existingSecret or certManager, or tls.allowPlaintext where the network itself encrypts" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas" -}}
{{- end -}}
{{- else -}}
{{- if $v.autoscaling.enabled -}}{{- fail "autoscaling.enabled needs mode cluster: a trial is one pod" -}}{{- end -}}
{{- end -}}
{{- if eq $v.tls.source "existingSecret" -}}
{{- $_ := required "tls.existingSecret is required with tls.source existingSecret" $v.tls.existingSecret -}}
{{- end -}}
{{- if eq $v.tls.source "certManager" -}}
{{- $_ := required "tls.certManager.issuerName is required with tls.source certManager" $v.tls.certManager.issuerName -}}
{{- end -}}
{{- $authorities := $v.tls.clientAuthorities -}}
{{- if and $authorities.existingSecret (eq $v.tls.source "none") -}}
{{- fail "tls.clientAuthorities.existingSecret needs tls.source" -}}
{{- end -}}
{{- if and $authorities.required (not $authorities.existingSecret) -}}
{{- fail "tls.clientAuthorities.required needs tls.clientAuthorities.existingSecret" -}}
{{- end -}}
{{- if and $authorities.required (include "keyward.tested" .) -}}
{{- $_ := required "test.certificateSecret is required with tls.clientAuthorities.required: the test is a client, too" $v.test.certificateSecret -}}
{{- end -}}
{{- if and $v.test.certificateSecret (eq $v.tls.source "none") -}}
{{- fail "test.certificateSecret needs tls.source" -}}
{{- end -}}
{{- with $v.passkeys.attestationRoots -}}
{{- if and .existingConfigMap (not .keys) -}}
{{- fail "passkeys.attestationRoots.keys names no certificate of passkeys.attestationRoots.existingConfigMap" -}}
{{- end -}}
{{- end -}}
{{- $ids := dict -}}
{{- range $index, $caller := $v.callers -}}
{{- if not (or $caller.tokenSecret $caller.certificateSan) -}}
{{- fail (printf "callers[%d] (%s) needs tokenSecret or certificateSan" $index $caller.id) -}}
{{- end -}}
{{- if and $caller.certificateSan (not $authorities.existingSecret) -}}
{{- fail (printf "callers[%d].certificateSan needs tls.clientAuthorities.existingSecret" $index) -}}
{{- end -}}
{{- if hasKey $ids $caller.id -}}{{- fail (printf "callers[%d].id %s is taken" $index $caller.id) -}}{{- end -}}
{{- $_ := set $ids $caller.id true -}}
{{- end -}}
{{- end -}}

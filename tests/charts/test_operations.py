"""What is done to a running deployment: rolling restarts, changed files, and what its log must never say."""

import concurrent.futures
import hashlib
import json
import re
import subprocess

import grpc
import yaml
from conftest import (
    BIN, CHART, KEYWARD, ROOT, Keyward, Server, clean_environment, figures, free_port, http, keyward, need, of_kind, render, scenario, until,
)


def probe_in_background(*arguments):
    """`keyward probe` for a while; call the result to wait for what it printed."""
    argv = [str(a) for a in (KEYWARD, "probe", *arguments)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=clean_environment())

    def told():
        text = process.communicate(timeout=120)[0]
        return figures(text) | {"why": [line for line in text.splitlines() if line[0] == "#"]}

    return told


def test_a_rolling_restart_with_changed_settings_behind_envoy_loses_no_call(tmp_path, servers):
    """Two replicas over one store and one Redis, behind Envoy as compose has it; each is restarted in turn under load. Settings
    are changed so, and in no other way: for a time two replicas with different ones work side by side."""
    need("redis-server")
    redis = free_port()
    servers.append(Server(["redis-server", "--port", redis, "--save", "", "--bind", "127.0.0.1"], tmp_path / "redis.log"))
    until(lambda: "Ready to accept" in servers[0].text())

    def replica(name, port=None, *changed):
        flags = ["store.hot=redis", f"redis.url=redis://127.0.0.1:{redis}/"]
        # On this shared machine Redis may be late for a moment; that it was would be counted as another answer.
        flags += ["redis.response_timeout_ms=1000", "server.shutdown_notice_ms=1500", "limits.caller_calls_per_second=0"]
        server = Keyward(tmp_path, *flags, *changed, name=name, grpc=port, data=tmp_path / "shared")
        servers.append(server)
        return server

    first, second = replica("first"), replica("second")

    config = yaml.safe_load((ROOT / "deploy/compose/envoy.yaml").read_text())
    listen, admin = free_port(), free_port()
    config["admin"]["address"]["socket_address"]["port_value"] = admin
    config["static_resources"]["listeners"][0]["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": listen}
    cluster = config["static_resources"]["clusters"][0]
    cluster["type"] = "STATIC"
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"] = [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}} for port in (first.grpc, second.grpc)
    ]
    (tmp_path / "envoy.yaml").write_text(yaml.safe_dump(config))
    argv = [BIN / "envoy", "-c", tmp_path / "envoy.yaml", "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning"]
    servers.append(Server(argv, tmp_path / "envoy.log", cwd=tmp_path))
    clusters = lambda: http(f"http://127.0.0.1:{admin}/clusters") or ""
    healthy = lambda: clusters().count("::health_flags::healthy") == 2
    until(healthy)

    done = probe_in_background("--url", f"http://127.0.0.1:{listen}", "--seconds", 14, "--rate", 60, "--connections", 4)
    for old in (first, second):
        assert old.stop() == 0, old.text()
        replica(f"{old.log.stem}-again", old.grpc, "assessment.typing_proof_every=5", "server.max_in_flight=100")
        until(healthy)
    told = done()
    assert told["asked"] > 600 and told["failed"] == 0 and told["allowed"] == told["asked"], (told["why"], told, clusters())


def certificate(folder, name):
    """A certificate of its own for localhost, valid for so many days that it can be told from others."""
    days = {"first": 30, "second": 60}[name]
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost"]
    argv += ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-days", str(days)]
    subprocess.run([*argv, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"], check=True, capture_output=True)


def test_a_certificate_a_token_and_a_policy_change_under_load_and_no_call_is_lost(tmp_path, servers):
    """As Kubernetes does it: mounted secrets are replaced by moving a symbolic link."""
    token = "a-token-of-this-test"
    for name in ("first", "second"):
        certificate(tmp_path, name)
        mount = tmp_path / name
        mount.mkdir()
        (mount / "tls.crt").write_bytes((tmp_path / f"{name}.crt").read_bytes())
        (mount / "tls.key").write_bytes((tmp_path / f"{name}.key").read_bytes())
        policies = "\n".join(p.read_text() for p in sorted((ROOT / "crates/policy/policies").glob("*.cedar")))
        (mount / "policy.cedar").write_text(policies + f"\n// {name}\n")
        hashes = [hashlib.sha256(token.encode()).hexdigest()] + (["0" * 64] if name == "second" else [])
        (mount / "token.sha256").write_text("\n".join(hashes))
    (tmp_path / "mount").symlink_to("first")
    config = tmp_path / "keyward.toml"
    config.write_text(
        f'[[callers]]\nid = "probe"\ntenants = ["*"]\ntoken_sha256_file = "{tmp_path}/mount/token.sha256"\n'
        f'[server]\nreload_check_s = 1\ntls_certificate_file = "{tmp_path}/mount/tls.crt"\n'
        f'tls_key_file = "{tmp_path}/mount/tls.key"\n[policy]\nfile = "{tmp_path}/mount/policy.cedar"\n'
    )
    (tmp_path / "token").write_text(token)
    (tmp_path / "both.pem").write_text((tmp_path / "first.crt").read_text() + (tmp_path / "second.crt").read_text())
    server = Keyward(tmp_path, config=config)
    servers.append(server)
    end = lambda: float(re.search(r"(?m)^keyward_certificate_not_after_seconds (\S+)$", server.metrics()).group(1))
    before = end()

    done = probe_in_background(
        "--url", f"https://localhost:{server.grpc}", "--ca-file", tmp_path / "both.pem", "--token-file", tmp_path / "token",
        "--seconds", 6, "--rate", 60, "--connections", 2,
    )
    (tmp_path / "moved").symlink_to("second")
    (tmp_path / "moved").rename(tmp_path / "mount")
    until(lambda: end() > before)
    told = done()
    assert told["failed"] == 0 and told["allowed"] == told["asked"] > 200, told
    assert 'keyward_reloads_total{result="ok"} 1' in server.metrics()
    once = ["probe", "--url", f"https://localhost:{server.grpc}", "--token-file", tmp_path / "token", "--ca-file"]
    assert keyward(*once, tmp_path / "second.crt").stdout.startswith("OUTCOME_ALLOW")
    assert keyward(*once, tmp_path / "first.crt", check=False).returncode == 1, "the old certificate is no longer served"

    # A policy that cannot be used changes nothing, and is told.
    (tmp_path / "mount/policy.cedar").write_text("permit (")
    until(lambda: 'keyward_reloads_total{result="error"} 1' in server.metrics())
    assert keyward(*once, tmp_path / "second.crt").stdout.startswith("OUTCOME_ALLOW")
    (tmp_path / "mount/policy.cedar").write_text("")
    until(lambda: keyward(*once, tmp_path / "second.crt", check=False).stdout.startswith("OUTCOME_DENY"))


def issued(folder, name, *more, by=None):
    """A key and a certificate of that name, signed by an authority; without one it is an authority itself."""
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}"]
    argv += ["-days", "2", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt", *more]
    argv += ["-CA", folder / f"{by}.crt", "-CAkey", folder / f"{by}.key"] if by else []
    subprocess.run(argv, check=True, capture_output=True)


def test_helm_test_shows_a_client_certificate_where_one_is_required(tmp_path, servers):
    """The arguments of the rendered test pod, with its mounts, against a server that takes no connection without a certificate."""
    issued(tmp_path, "ca")
    issued(tmp_path, "server", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", by="ca")
    san = ["-addext", "subjectAltName=DNS:gateway.example.org", "-addext", "basicConstraints=critical,CA:FALSE"]
    issued(tmp_path, "client", *san, "-addext", "extendedKeyUsage=clientAuth", by="ca")
    config = tmp_path / "keyward.toml"
    config.write_text(
        '[[callers]]\nid = "gateway"\ntenants = ["*"]\ncertificate_san = "gateway.example.org"\n'
        f'[server]\ntls_certificate_file = "{tmp_path}/server.crt"\ntls_key_file = "{tmp_path}/server.key"\n'
        f'tls_client_ca_file = "{tmp_path}/ca.crt"\ntls_require_client_certificate = true\n'
    )
    server = Keyward(tmp_path, config=config)
    servers.append(server)
    [pod] = of_kind(render(scenario(CHART / "ci/cluster-values.yaml")), "Pod")
    [container] = pod["spec"]["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    secrets = {volume["name"]: volume["secret"] for volume in pod["spec"]["volumes"]}
    assert {name: secret["secretName"] for name, secret in secrets.items()} == {"ca": "keyward-ca", "certificate": "gateway-certificate"}
    at = {f"{mounts['ca']}/ca.crt": "ca.crt", f"{mounts['certificate']}/tls.crt": "client.crt", f"{mounts['certificate']}/tls.key": "client.key"}
    assert at.keys() == {f"{mounts[name]}/{item['path']}" for name, secret in secrets.items() for item in secret["items"]}
    argv = []
    for argument in container["args"]:
        flag, _, value = argument.partition("=")
        argv.append(f"{flag}={tmp_path}/{at[value]}" if value in at else argument)
    argv[1] = f"--url=https://localhost:{server.grpc}"
    assert container["args"][1].startswith("--url=https://kw-keyward.health.svc:")
    asked = keyward(*argv)
    assert asked.stdout.startswith("OUTCOME_ALLOW"), asked.stdout
    refused = keyward(*[a for a in argv if "certificate" not in a and "key-file" not in a], check=False)
    assert refused.returncode == 1 and "OUTCOME" not in refused.stdout, refused.stdout


#: What no log may ever say, at whatever level: what callers send, and what they prove themselves with.
NEVER = ["planted-token", "planted-tenant", "keyward-probe", "probe-", "0" * 63]


def test_the_log_says_nothing_of_people_at_any_level(tmp_path, servers):
    """Everything is logged, and a deployment is asked, refused and misused. Decision and trace ids are in it; nothing else is."""
    (tmp_path / "token").write_text("planted-token-of-this-test")
    (tmp_path / "wrong").write_text("planted-token-that-nobody-knows")
    (tmp_path / "hash").write_text(hashlib.sha256(b"planted-token-of-this-test").hexdigest())
    config = tmp_path / "keyward.toml"
    config.write_text(
        f'[[callers]]\nid = "portal"\ntenants = ["planted-tenant"]\ntoken_sha256_file = "{tmp_path}/hash"\n'
        '[telemetry]\nlog_filter = "trace"\nlog_format = "json"\notlp_endpoint = "http://127.0.0.1:9"\n'
    )
    server = Keyward(tmp_path, config=config)
    servers.append(server)
    url = ["probe", "--url", f"http://127.0.0.1:{server.grpc}"]
    asked = keyward(*url, "--token-file", tmp_path / "token", "--tenant", "planted-tenant")
    keyward(*url, "--token-file", tmp_path / "wrong", "--tenant", "planted-tenant", check=False)
    keyward(*url, "--token-file", tmp_path / "token", "--tenant", "planted-tenant-of-others", check=False)
    keyward(*url, "--token-file", tmp_path / "token", "--tenant", "planted-tenant not an id", check=False)
    server.stop()
    lines = [json.loads(line) for line in server.text().splitlines() if line.startswith("{")]
    assert len(lines) > 100, "everything was logged"
    decision = re.search(r"decision=(\S+)", asked.stdout).group(1)
    [told] = [line for line in lines if line["fields"].get("decision") == decision]
    assert told["fields"]["outcome"] == "allow"
    assert any(re.fullmatch("[0-9a-f]{32}", span.get("trace_id", "")) for span in told["spans"]), told
    for word in NEVER:
        found = [line for line in server.text().splitlines() if word in line]
        assert not found, found[:3]


def test_the_settings_that_never_end_in_a_log_are_not_in_metrics_either(tmp_path, servers):
    server = Keyward(tmp_path)
    servers.append(server)
    keyward("probe", "--url", f"http://127.0.0.1:{server.grpc}", "--tenant", "planted-tenant")
    for word in NEVER:
        assert word not in server.metrics()


class Collector:
    """Takes traces over OTLP and keeps them as they came."""

    def __init__(self):
        self.came = []
        handlers = {"Export": grpc.unary_unary_rpc_method_handler(self.take)}
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
        for signal in ("trace.v1.TraceService", "metrics.v1.MetricsService"):
            name = f"opentelemetry.proto.collector.{signal}"
            self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def take(self, request, _context):
        """Keeps a batch."""
        self.came.append(request)
        return b""

    def stop(self):
        """Ends it."""
        self.server.stop(None)


def test_one_trace_goes_from_the_call_through_every_stage_to_the_stores(tmp_path, servers):
    collector = Collector()
    servers.append(collector)
    config = tmp_path / "keyward.toml"
    config.write_text(
        f'[telemetry]\nlog_filter = "info,keyward_engine=debug"\nlog_format = "json"\notlp_endpoint = "http://127.0.0.1:{collector.port}"\n'
    )
    server = Keyward(tmp_path, config=config)
    servers.append(server)
    keyward("probe", "--url", f"http://127.0.0.1:{server.grpc}", "--tenant", "planted-tenant")
    server.stop()
    lines = [json.loads(line) for line in server.text().splitlines() if line.startswith("{")]
    [told] = [line for line in lines if line["fields"].get("message") == "decided"]
    [trace] = {span["trace_id"] for span in told["spans"] if "trace_id" in span}
    sent = b"".join(collector.came)
    for name in (b"DecisionService/Assess", b"read", b"hot read", b"durable read", b"decide", b"audit append", b"hot write"):
        assert name in sent, name
    assert sent.count(bytes.fromhex(trace)) >= 7, "one trace holds them all"
    assert not [word for word in NEVER if word.encode() in sent]

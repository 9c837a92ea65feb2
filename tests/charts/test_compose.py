"""The sample deployment, each file read by the program that it is for."""

import hashlib
import re
import subprocess

import yaml
from conftest import BIN, ROOT, keyward

COMPOSE = ROOT / "deploy/compose"


def services():
    """The services of compose.yaml."""
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]


def test_every_file_that_is_mounted_is_there_and_every_port_is_on_loopback():
    for name, service in services().items():
        for volume in service.get("volumes", []):
            if volume.startswith("."):
                assert (COMPOSE / volume.split(":")[0]).exists(), (name, volume)
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        if "image" in service:
            assert re.search(r":v?\d+\.\d+(\.\d+)?(-alpine)?$|:17-alpine$", service["image"]), service["image"]
        for other in service.get("depends_on", {}):
            assert other in services(), (name, other)
    assert services()["keyward"]["deploy"]["replicas"] == 2


def test_keyward_reads_its_settings():
    assert "sound" in keyward("config", "check", "--config", COMPOSE / "keyward.toml").stdout


def test_envoy_reads_its_configuration(tmp_path):
    done = subprocess.run(
        [BIN / "envoy", "--mode", "validate", "-c", COMPOSE / "envoy.yaml", "--use-dynamic-base-id"],
        capture_output=True, text=True, cwd=tmp_path,
    )
    assert done.returncode == 0 and "OK" in done.stdout + done.stderr, done.stderr


def test_prometheus_reads_its_configuration(tmp_path):
    for file in (COMPOSE / "prometheus.yaml", ROOT / "helm/keyward/files/rules.yaml"):
        (tmp_path / file.name).write_text(file.read_text())
    done = subprocess.run(["promtool", "check", "config", tmp_path / "prometheus.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_addresses_meet_ports():
    """keyward, Envoy, the collector and Prometheus speak of the same ports and names."""
    settings = (COMPOSE / "keyward.toml").read_text()
    envoy = yaml.safe_load((COMPOSE / "envoy.yaml").read_text())["static_resources"]["clusters"][0]
    address = envoy["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert address == {"address": "keyward", "port_value": 50051} and 'listen = "0.0.0.0:50051"' in settings
    assert envoy["health_checks"][0]["grpc_health_check"]["service_name"] == "readiness"
    scrape = yaml.safe_load((COMPOSE / "prometheus.yaml").read_text())["scrape_configs"][0]["dns_sd_configs"][0]
    assert scrape["names"] == ["keyward"] and f"0.0.0.0:{scrape['port']}" in settings
    otel = yaml.safe_load((COMPOSE / "otel.yaml").read_text())
    assert otel["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].endswith(":4317")
    assert "http://otel-collector:4317" in settings and "otel-collector" in services()
    [source, traces] = yaml.safe_load((COMPOSE / "grafana/datasources.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    [leads] = source["jsonData"]["exemplarTraceIdDestinations"]
    assert leads == {"name": "trace_id", "datasourceUid": traces["uid"]}
    ui = services()["jaeger"]["ports"][0].split(":")[-1]
    assert traces["url"] == f"http://jaeger:{ui}" and "--enable-feature=exemplar-storage" in services()["prometheus"]["command"]
    pipelines = otel["service"]["pipelines"].values()
    assert otel["exporters"]["otlp/jaeger"]["endpoint"] == "jaeger:4317"
    assert {name for p in pipelines for name in p["exporters"]} == set(otel["exporters"]), "each exporter is used, and each used is there"


def test_the_demo_token_is_the_one_that_is_told():
    told = re.search(r"Bearer (\S+)'", (COMPOSE / "compose.yaml").read_text()).group(1)
    assert hashlib.sha256(told.encode()).hexdigest() == (COMPOSE / "demo-caller.sha256").read_text().strip()

"""Every expression of dashboards, alerts and recording rules, asked of a real Prometheus that watched real keywards work."""

import json
import re
import subprocess
import sys
import time
import urllib.parse
from http.client import HTTPException

import pytest
import yaml
from conftest import CHART, KEYWARD, ROOT, Keyward, Server, clean_environment, free_port, http, keyward, need, until
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from test_operations import Collector, certificate, probe_in_background


#: As Prometheus asks.
OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def test_dashboards_are_generated():
    done = subprocess.run([sys.executable, ROOT / "helm/dashboards.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_dashboards_are_whole():
    names = set()
    for path in sorted((CHART / "files/dashboards").glob("*.json")):
        board = json.loads(path.read_text())
        names.add(board["title"])
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids) and all(panel["description"] for panel in board["panels"])
    assert names == {"keyward: Decisions", "keyward: Health", "keyward: Models"}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """A Prometheus that scrapes, five times a second: the story of `keyward try`, a server with TLS whose files change, and one whose
    Redis goes away. Gives a function that asks it."""
    need("prometheus")
    need("redis-server")
    folder = tmp_path_factory.mktemp("prometheus")
    started = []
    redis, story, port = free_port(), free_port(), free_port()
    started.append(Server(["redis-server", "--port", redis, "--save", "", "--bind", "127.0.0.1"], folder / "redis.log"))
    until(lambda: "Ready to accept" in started[0].text())
    certificate(folder, "first")
    (folder / "token.sha256").write_text("0" * 64)
    (folder / "tls.toml").write_text(
        f'[[callers]]\nid = "x"\ntenants = ["*"]\ntoken_sha256_file = "{folder}/token.sha256"\n'
        f'[server]\nreload_check_s = 1\ntls_certificate_file = "{folder}/first.crt"\ntls_key_file = "{folder}/first.key"\n'
    )
    tls = Keyward(folder, config=folder / "tls.toml", name="tls")
    collector = Collector()
    traced = [f"telemetry.otlp_endpoint=http://127.0.0.1:{collector.port}", "telemetry.trace_sample_ratio=1.0"]
    hot = Keyward(folder, "store.hot=redis", f"redis.url=redis://127.0.0.1:{redis}/", *traced, name="hot")
    started += [tls, collector, hot]
    targets = [f"127.0.0.1:{p}" for p in (story, tls.http, hot.http)]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump({
        "global": {"scrape_interval": "200ms", "evaluation_interval": "1s"},
        "rule_files": [str(CHART / "files/rules.yaml")],
        "scrape_configs": [{"job_name": "keyward", "static_configs": [{"targets": targets}]}],
    }))
    argv = ["prometheus", f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
    argv += ["--enable-feature=exemplar-storage"]
    started.append(Server([*argv, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"], folder / "prometheus.log"))

    def ask(expression, how="query", **more):
        query = urllib.parse.urlencode({"query": expression, **more}).encode()
        answer = http(f"http://127.0.0.1:{port}/api/v1/{how}", query)
        return answer and json.loads(answer)

    def traces():
        """What the traced server sent, once it has ended."""
        hot.stop()
        return b"".join(collector.came)

    ask.traces, ask.story = traces, None

    def told(port):
        """What it measures, as OpenMetrics; nothing once it is ending."""
        try:
            return http(f"http://127.0.0.1:{port}/metrics", Accept=OPEN_METRICS)
        except HTTPException:
            return None

    try:
        # It begins to scrape some seconds after it answers.
        until(lambda: len((ask("up") or {"data": {"result": []}})["data"]["result"]) == len(targets))
        load = probe_in_background("--url", f"http://127.0.0.1:{hot.grpc}", "--seconds", 8, "--rate", 30)
        argv = [KEYWARD, "try", "--http", f"127.0.0.1:{story}"]
        shown = Server(argv, folder / "story.log", env=clean_environment())
        started.append(shown)
        # Several scrapes of how things were before they change; the last word of the story is kept.
        before = time.monotonic()
        while shown.running() or started[0].running():
            ask.story = told(story) or ask.story
            time.sleep(0.1)
            if time.monotonic() > before + 3 and started[0].running():
                (folder / "token.sha256").write_text("1" * 64)
                started[0].stop()
        assert shown.process.wait() == 0, shown.text()
        load()
        time.sleep(2)  # the scrape and the evaluation that follow
        yield ask
    finally:
        for server in reversed(started):
            server.stop()


def expressions():
    """Every expression, with where it stands."""
    for path in sorted((CHART / "files/dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}: {target['legendFormat']}", target["expr"]
    for group in yaml.safe_load((CHART / "files/rules.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            if "record" in rule:
                yield f"rule {rule['record']}", rule["record"]


def test_every_expression_gives_data(prometheus):
    empty = []
    for where, expression in expressions():
        answer = prometheus(expression.replace("$__rate_interval", "2m"))
        assert answer and answer["status"] == "success", (where, answer)
        values = [float(sample["value"][1]) for sample in answer["data"]["result"]]
        if not values or all(value != value for value in values):
            empty.append(where)
    assert not empty, empty


def test_every_metric_of_an_alert_is_measured(prometheus):
    """What an alert asks for is there, with the labels that it asks by; that it fires is promtool's to show."""
    for rule in (r for g in yaml.safe_load((CHART / "files/rules.yaml").read_text())["groups"] for r in g["rules"]):
        for selector in re.findall(r"((?:keyward|rpc)_\w+(?:\{[^}]*\})?)", rule["expr"]):
            if 'stage="audit"' in selector or "{" not in selector or "store=" in selector or "proven" in selector:
                answer = prometheus(f"count_over_time({selector}[5m])")
                assert answer["data"]["result"], (rule.get("alert") or rule["record"], selector)


def test_every_metric_is_documented_and_every_documented_one_is_there(prometheus):
    seen = prometheus("", how="series", **{"match[]": '{__name__=~"keyward_.*|rpc_.*"}'})["data"]
    found = {series["__name__"] for series in seen}
    found = {re.sub("_(bucket|sum|count)$", "", name) for name in found}
    told = (ROOT / "deploy/README.md").read_text().split("## What is measured")[1].split("\n## ")[0]
    documented = set(re.findall(r"`((?:keyward|rpc)_\w+)`", told))
    assert found == documented, found ^ documented


def test_no_label_of_a_metric_could_name_a_person(prometheus):
    names = {name for sample in prometheus('{__name__=~"keyward_.*|rpc_.*"}')["data"]["result"] for name in sample["metric"]}
    allowed = {"__name__", "instance", "job", "le", "code", "evidence", "maturity", "outcome", "proven", "result", "stage", "store",
               "version", "rpc_method", "rpc_response_status_code", "rpc_system_name"}
    assert names <= allowed, names - allowed


def test_metrics_are_open_metrics_as_its_reference_reader_reads_them(prometheus, tmp_path, servers):
    families = {family.name: family for family in text_string_to_metric_families(prometheus.story)}
    assert families["keyward_decisions"].type == "counter" and families["keyward_typing_score"].type == "histogram"
    collector = Collector()
    servers.append(collector)
    traced = [f"telemetry.otlp_endpoint=http://127.0.0.1:{collector.port}", "telemetry.trace_sample_ratio=1.0"]
    server = Keyward(tmp_path, *traced)
    servers.append(server)
    keyward("probe", "--url", f"http://127.0.0.1:{server.grpc}")
    text = http(f"http://127.0.0.1:{server.http}/metrics", Accept=OPEN_METRICS)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    calls = families["rpc_server_call_duration_seconds"].samples
    [exemplar] = [s.exemplar for s in calls if s.exemplar and s.labels["rpc_method"].endswith("/Assess")]
    assert re.fullmatch("[0-9a-f]{32}", exemplar.labels["trace_id"])
    plain = {line.split("{")[0] for line in server.metrics().splitlines() if not line.startswith("#")}
    assert {s.name for family in families.values() for s in family.samples} == {name.split(" ")[0] for name in plain}, "the two forms tell the same"


def test_the_outage_was_seen(prometheus):
    assert prometheus('min(keyward_store_up{store="hot"})')["data"]["result"][0]["value"][1] == "0"
    assert float(prometheus('sum(keyward_decision_reasons_total{code="HOT_STORE_UNAVAILABLE"})')["data"]["result"][0]["value"][1]) > 0


def test_durations_lead_to_traces_that_were_recorded(prometheus):
    """The last one: it ends the traced server."""
    now = time.time()
    asked = 'rpc_server_call_duration_seconds_bucket{rpc_method="keyward.v1.DecisionService/Assess"}'
    found = prometheus(asked, how="query_exemplars", start=now - 600, end=now)["data"]
    kept = [(series["seriesLabels"]["le"], exemplar) for series in found for exemplar in series["exemplars"]]
    assert kept, found
    for le, exemplar in kept:
        assert float(exemplar["value"]) <= float(le), "a call that fell into the bucket"
    sent = prometheus.traces()
    assert all(bytes.fromhex(exemplar["labels"]["trace_id"]) in sent for _, exemplar in kept)

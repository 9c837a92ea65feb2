"""Every expression of dashboards, alerts and recording rules, asked of a real Prometheus that watched real keywards work."""

import json
import re
import subprocess
import sys
import time
import urllib.parse

import pytest
import yaml
from conftest import CHART, KEYWARD, ROOT, Keyward, Server, clean_environment, free_port, http, need, until
from test_operations import certificate, probe_in_background


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
    hot = Keyward(folder, "store.hot=redis", f"redis.url=redis://127.0.0.1:{redis}/", name="hot")
    started += [tls, hot]
    targets = [f"127.0.0.1:{p}" for p in (story, tls.http, hot.http)]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump({
        "global": {"scrape_interval": "200ms", "evaluation_interval": "1s"},
        "rule_files": [str(CHART / "files/rules.yaml")],
        "scrape_configs": [{"job_name": "keyward", "static_configs": [{"targets": targets}]}],
    }))
    argv = ["prometheus", f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
    started.append(Server([*argv, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"], folder / "prometheus.log"))

    def ask(expression):
        query = urllib.parse.urlencode({"query": expression}).encode()
        answer = http(f"http://127.0.0.1:{port}/api/v1/query", query)
        return answer and json.loads(answer)

    try:
        # It begins to scrape some seconds after it answers.
        until(lambda: len((ask("up") or {"data": {"result": []}})["data"]["result"]) == len(targets))
        load = probe_in_background("--url", f"http://127.0.0.1:{hot.grpc}", "--seconds", 8, "--rate", 30)
        argv = [KEYWARD, "try", "--http", f"127.0.0.1:{story}"]
        shown = Server(argv, folder / "story.log", env=clean_environment())
        started.append(shown)
        time.sleep(3)  # several scrapes of how things were before they change
        (folder / "token.sha256").write_text("1" * 64)
        started[0].stop()
        load()
        assert shown.process.wait(120) == 0, shown.text()
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


def test_no_label_of_a_metric_could_name_a_person(prometheus):
    names = {name for sample in prometheus('{__name__=~"keyward_.*|rpc_.*"}')["data"]["result"] for name in sample["metric"]}
    allowed = {"__name__", "instance", "job", "le", "code", "evidence", "maturity", "outcome", "proven", "result", "stage", "store",
               "version", "rpc_method", "rpc_response_status_code", "rpc_system_name"}
    assert names <= allowed, names - allowed


def test_the_outage_was_seen(prometheus):
    assert prometheus('min(keyward_store_up{store="hot"})')["data"]["result"][0]["value"][1] == "0"
    assert float(prometheus('sum(keyward_decision_reasons_total{code="HOT_STORE_UNAVAILABLE"})')["data"]["result"][0]["value"][1]) > 0

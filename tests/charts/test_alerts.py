"""Alerts and recording rules, by promtool."""

import re
import subprocess

import yaml
from conftest import CHART, ROOT

RULES = CHART / "files/rules.yaml"


def test_rules_are_sound():
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_when_they_should_and_no_sooner(tmp_path):
    cases = (ROOT / "tests/charts/alerts.test.yaml").read_text()
    (tmp_path / "alerts.yaml").write_text(cases.replace("[RULES]", f"[{RULES}]"))
    done = subprocess.run(["promtool", "test", "rules", tmp_path / "alerts.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def rules():
    """Every rule."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def test_every_alert_is_tested_and_leads_to_a_runbook():
    alerts = [rule for rule in rules() if "alert" in rule]
    tested = set(re.findall(r"alertname: (\w+)\n +exp_alerts", (ROOT / "tests/charts/alerts.test.yaml").read_text()))
    assert {rule["alert"] for rule in alerts} == tested
    for rule in alerts:
        assert (ROOT / rule["annotations"]["runbook_url"]).is_file(), rule["alert"]
        assert rule["alert"] in (ROOT / rule["annotations"]["runbook_url"]).read_text(), "the runbook says what woke you"
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]

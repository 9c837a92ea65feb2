"""Alerts and recording rules, by promtool."""

import subprocess

from conftest import CHART

RULES = CHART / "files/rules.yaml"


def test_rules_are_sound():
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_when_they_should_and_no_sooner(tmp_path):
    cases = (CHART.parents[1] / "tests/charts/alerts.test.yaml").read_text()
    (tmp_path / "alerts.yaml").write_text(cases.replace("[RULES]", f"[{RULES}]"))
    done = subprocess.run(["promtool", "test", "rules", tmp_path / "alerts.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

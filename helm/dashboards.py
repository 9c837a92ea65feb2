#!/usr/bin/env python3
"""Writes the Grafana dashboards of the chart. `--check` writes nothing and fails when they differ."""

import json
import pathlib
import sys

OUT = pathlib.Path(__file__).parent / "keyward/files/dashboards"
W = "[$__rate_interval]"
ASSESS = 'rpc_method=~"keyward.v1.DecisionService/(Assess|CompleteStepUp)"'
FAULTS = 'rpc_response_status_code=~"UNKNOWN|DEADLINE_EXCEEDED|INTERNAL|UNAVAILABLE|DATA_LOSS"'
ALARMS = 'code=~"TYPING_UNUSUAL|TYPING_DIFFERS"'
JUDGED = 'code=~"TYPING_MATCHES|TYPING_UNUSUAL|TYPING_DIFFERS"'


def rate(metric, by, labels=""):
    """The rate of a counter, summed over pods."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}{W}))"


def quantile(q, metric, by="", labels=""):
    """A quantile of a histogram, over all pods."""
    return f"histogram_quantile({q}, sum by (le{', ' + by if by else ''}) (rate({metric}_bucket{{{labels}}}{W})))"


def share(part, whole):
    """A share, 0 when nothing happens."""
    return f"(sum(rate({part}{W})) or vector(0)) / clamp_min(sum(rate({whole}{W})), 1e-9)"


CALLS = "rpc_server_call_duration_seconds"

#: Dashboards: name, title, rows of panels. A panel is title, unit, description, and `(expression, legend)` pairs.
DASHBOARDS = {
    "decisions": ("keyward: Decisions", [
        ("Decisions by outcome", "reqps", "ALLOW, STEP_UP and DENY a second.",
         [(rate("keyward_decisions_total", "outcome"), "{{outcome}}")]),
        ("Share of step-ups", "percentunit", "Of all decisions, whatever the cause.",
         [(share('keyward_decisions_total{outcome="step_up"}', "keyward_decisions_total"), "step-ups")]),
        ("Typing alarms against the friction budget", "percentunit",
         "Share of typed logins, judged by a model with a say, that looked unusual or different. Impostors are among them; "
         "the budget speaks of genuine logins alone.",
         [(share(f"keyward_decision_reasons_total{{{ALARMS}}}", f"keyward_decision_reasons_total{{{JUDGED}}}"), "alarms"),
          ("max(keyward_friction_budget)", "budget")]),
        ("Step-ups by evidence", "reqps", "What people were asked for.",
         [(rate("keyward_decision_step_ups_total", "evidence"), "{{evidence}}")]),
        ("Reasons", "reqps", "Reason codes given, the ten most frequent.",
         [(f"topk(10, {rate('keyward_decision_reasons_total', 'code')})", "{{code}}")]),
        ("Degraded answers", "reqps", "Answers that were stricter because something was missing.",
         [(rate("keyward_decision_reasons_total", "code",
                'code=~"HOT_STORE_UNAVAILABLE|MODEL_UNAVAILABLE|DEADLINE_SHORT|AUDIT_UNAVAILABLE"'), "{{code}}")]),
        ("Emergency access", "reqps", "Break-glass grants. Each is on the review list.",
         [(rate("keyward_decision_reasons_total", "code", 'code="BREAK_GLASS_GRANTED"'), "{{code}}")]),
        ("Risk", "none", "Quantiles of the fused risk, from 0 to 1.",
         [(quantile(q, "keyward_decision_risk"), f"p{int(q * 100)}") for q in (0.5, 0.9, 0.99)]),
    ]),
    "health": ("keyward: Health", [
        ("Calls by method", "reqps", "Rate.", [(rate(f"{CALLS}_count", "rpc_method"), "{{rpc_method}}")]),
        ("Calls by status", "reqps", "Errors among them.",
         [(rate(f"{CALLS}_count", "rpc_response_status_code"), "{{rpc_response_status_code}}")]),
        ("Duration of assessments", "s", "At the server, 50th, 99th and 99.9th percentile.",
         [(quantile(q, CALLS, labels=ASSESS), f"p{q * 100:g}") for q in (0.5, 0.99, 0.999)]),
        ("Duration of stages, p99", "s", "Where the time of an assessment goes.",
         [(quantile(0.99, "keyward_stage_duration_seconds", "stage"), "{{stage}}")]),
        ("Availability against the objective", "percentunit",
         "Share of assessments that failed by the server's fault; the objective leaves 0.1 %.",
         [(share(f"{CALLS}_count{{{ASSESS},{FAULTS}}}", f"{CALLS}_count{{{ASSESS}}}"), "failed"), ("vector(0.001)", "objective")]),
        ("Slow assessments against the objective", "percentunit",
         "Share of assessments that took more than 25 ms; the objective leaves 1 %.",
         [(f"1 - sum(rate({CALLS}_bucket{{{ASSESS},le=\"0.025\"}}{W})) / clamp_min(sum(rate({CALLS}_count{{{ASSESS}}}{W})), 1e-9)",
           "slow"), ("vector(0.01)", "objective")]),
        ("Stores", "none", "1: answers.", [("min by (store) (keyward_store_up)", "{{store}}")]),
        ("Wait for the audit log", "s", "From a decision to its durable record.",
         [(quantile(q, "keyward_stage_duration_seconds", labels='stage="audit"'), f"p{q * 100:g}") for q in (0.5, 0.99)]),
        ("Audit records that wait for a checkpoint", "s",
         "How long the oldest record that no signed checkpoint covers has waited, beside the age of the newest checkpoint, which "
         "grows while nothing is appended.",
         [("max(keyward_audit_lag_seconds)", "oldest record"), ("min(keyward_audit_checkpoint_age_seconds)", "checkpoint")]),
        ("Audit records in no checkpoint yet", "none", "They join one within audit.checkpoint_interval_ms.",
         [("max(keyward_audit_records_beyond)", "records")]),
        ("Certificate", "s", "Time until the server's certificate ends; nothing without TLS.",
         [("min(keyward_certificate_not_after_seconds) - time()", "left")]),
        ("Readings of changed files", "none", "Certificates, tokens and policies read again in the last hour.",
         [("sum by (result) (increase(keyward_reloads_total[1h]))", "{{result}}")]),
        ("Versions", "none", "Pods by version.", [("count by (version) (keyward_build_info)", "{{version}}")]),
    ]),
    "models": ("keyward: Models", [
        ("Maturity of the profiles that scored", "reqps", "Typed logins by what their model knew.",
         [(rate("keyward_decision_profiles_total", "maturity"), "{{maturity}}")]),
        ("Typing scores of proven logins", "none",
         "Scores in units of each person's own spread, of logins that a passkey proved in the same call, mature models alone. "
         "The median creeping up is drift: people type otherwise than when their models were trained.",
         [(quantile(q, "keyward_typing_score", labels='maturity="mature",proven="true"'), f"p{int(q * 100)}")
          for q in (0.5, 0.9)]),
        ("Typing scores of all logins", "none", "The same by maturity, proven or not, 90th percentile.",
         [(quantile(0.9, "keyward_typing_score", "maturity"), "{{maturity}}")]),
        ("Trainings", "reqps", "Profiles trained, by the maturity that they reached.",
         [(rate("keyward_profile_trainings_total", "maturity"), "{{maturity}}")]),
        ("Duration of trainings", "s", "Off the path of logins.",
         [(quantile(q, "keyward_training_duration_seconds"), f"p{int(q * 100)}") for q in (0.5, 0.99)]),
        ("Training queue", "none", "Lessons that wait; dropped ones are lost.",
         [("sum(keyward_training_queue)", "waiting"), ("sum(increase(keyward_training_dropped_total[5m]))", "dropped, 5 min")]),
        ("Typing that could not be compared", "reqps", "Another length, corrections, autofill; or no model yet.",
         [(rate("keyward_decision_reasons_total", "code", 'code=~"TYPING_NOT_COMPARABLE|TYPING_LEARNING|TYPING_ABSENT"'),
           "{{code}}")]),
        ("Recorded, replayed or generated typing", "reqps", "Telemetry that does not look like a person at a keyboard.",
         [(rate("keyward_decision_reasons_total", "code", 'code=~"TELEMETRY_.*|NONCE_.*"'), "{{code}}")]),
    ]),
}


def panel(number, title, unit, text, queries):
    """A time series panel, two a row."""
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "description": text,
        "datasource": source,
        "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
        "fieldConfig": {"defaults": {"unit": unit, "min": None if unit == "none" else 0}, "overrides": []},
        "options": {"legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(65 + i), "datasource": source, "expr": expr, "legendFormat": legend, "range": True,
             # Durations of calls lead to traces of calls that took as long.
             "exemplar": f"{CALLS}_bucket" in expr}
            for i, (expr, legend) in enumerate(queries)
        ],
    }


def dashboard(name, title, panels):
    """A dashboard, for Grafana 10 and later."""
    variable = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source", "refresh": 1}
    return {
        "uid": f"keyward-{name}",
        "title": title,
        "tags": ["keyward"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": [panel(i, *p) for i, p in enumerate(panels)],
    }


def main():
    stale = []
    for name, (title, panels) in DASHBOARDS.items():
        path, text = OUT / f"{name}.json", json.dumps(dashboard(name, title, panels), indent=1) + "\n"
        if not path.exists() or path.read_text() != text:
            stale.append(path)
            if "--check" not in sys.argv:
                path.write_text(text)
    if "--check" in sys.argv:
        sys.exit("".join(f"{path} is stale: run helm/dashboards.py\n" for path in stale) or 0)


if __name__ == "__main__":
    main()

"""The chart as it is: generated files, lint, what it refuses, what it renders."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib

import helm_python as helm
import pytest
import yaml
from conftest import CHART, KEYWARD, ROOT, SCENARIOS, Keyward, clean_environment, http, keyward, notes, of_kind, render, scenario

#: Kinds of other projects, whose schemas the Kubernetes release does not carry.
CUSTOM = {"Certificate", "PrometheusRule", "ServiceMonitor"}

each_scenario = pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)


def test_schema_and_table_are_generated():
    done = subprocess.run([sys.executable, ROOT / "helm/generate.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@each_scenario
def test_lint(path):
    found = helm.lint(str(CHART), scenario(path))
    worse = [m for m in found["messages"] if m["severity"] > 1]
    assert not worse and not found["errors"], found


def test_the_chart_packages(tmp_path):
    with helm.Chart.load(str(CHART)) as chart:
        chart.save(str(tmp_path))
    names = subprocess.run(["tar", "tzf", next(tmp_path.glob("*.tgz"))], capture_output=True, text=True, check=True).stdout
    assert "keyward/values.schema.json" in names and "/ci/" not in names


#: What is refused, and what the message must name.
REFUSED = [
    ({"mode": "production"}, "mode"),
    ({"replicas": 0}, "replicas"),
    ({"replicas": "two"}, "replicas"),
    ({"replica": 2}, "replica"),
    ({"image": {"tag": "latest"}}, "tag"),
    ({"image": {"repository": ""}}, "repository"),
    ({"image": {"digest": "sha256:abc"}}, "digest"),
    ({"image": {"pullPolicy": "always"}}, "pullPolicy"),
    ({"callers": [{"id": "portal"}]}, "tenants"),
    ({"callers": [{"id": "portal", "tenants": []}]}, "tenants"),
    ({"callers": [{"id": "portal", "tenants": ["a"], "token": "secret"}]}, "token"),
    ({"callers": [{"id": "portal", "tenants": ["a"]}]}, "callers[0] (portal) needs tokenSecret"),
    ({"redis": {"url": "http://redis"}}, "url"),
    ({"redis": {"url": "redis://user:password@redis"}}, "url"),
    ({"redis": {"mode": "master"}}, "mode"),
    ({"postgres": {"url": "postgres://keyward:password@host/keyward"}}, "url"),
    ({"postgres": {"url": "postgres://host/keyward?sslmode=disable"}}, "url"),
    ({"postgres": {"tls": "prefer"}}, "tls"),
    ({"tls": {"source": "acme"}}, "source"),
    ({"tls": {"source": "existingSecret"}}, "tls.existingSecret"),
    ({"tls": {"source": "certManager"}}, "tls.certManager.issuerName"),
    ({"tls": {"clientAuthorities": {"required": True}}}, "tls.clientAuthorities.required"),
    ({"tls": {"clientAuthorities": {"existingSecret": "a"}}}, "tls.source"),
    ({"tls": {"source": "certManager", "certManager": {"issuerName": "a"}, "clientAuthorities": {"existingSecret": "b", "required": True}}},
     "test.certificateSecret"),
    ({"passkeys": {"attestationRoots": {"existingConfigMap": "a"}}}, "passkeys.attestationRoots.keys"),
    ({"test": {"certificateSecret": "a"}}, "test.certificateSecret needs tls.source"),
    ({"callers": [{"id": "portal", "tenants": ["a"], "audit": "yes"}]}, "audit"),
    ({"telemetry": {"traceSampleRatio": 2}}, "traceSampleRatio"),
    ({"service": {"port": 70000}}, "port"),
    ({"trial": {"size": "2 GB"}}, "size"),
    ({"autoscaling": {"enabled": True}}, "autoscaling.enabled"),
    ({"settings": {"server": {"listen": "0.0.0.0:1"}}}, "settings.server.listen"),
    ({"settings": {"server": "x"}}, "settings.server"),
    ({"passkeys": {"origins": []}}, "origins"),
]


@pytest.mark.parametrize("values,named", REFUSED, ids=lambda v: v if isinstance(v, str) else json.dumps(v)[:40])
def test_a_wrong_value_is_refused_by_name(values, named):
    with pytest.raises(helm.HelmError) as refused:
        with helm.Chart.load(str(CHART)) as chart:
            chart.validate_schema(values)
            chart.render(values, name="kw", namespace="health")
    assert named in str(refused.value)


@pytest.mark.parametrize(
    "path,named",
    [
        (("redis", "nodes"), "redis.nodes"),
        (("redis", "sentinelMaster"), "redis.sentinelMaster"),
        (("postgres", "url"), "postgres.url"),
        (("keys", "existingSecret"), "keys.existingSecret"),
        (("callers",), "callers"),
        (("tls", "allowPlaintext"), "tls.allowPlaintext"),
    ],
)
def test_what_a_cluster_needs_is_asked_for_by_name(path, named):
    values = scenario(CHART / "ci/cluster-mesh-values.yaml")
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    with pytest.raises(helm.HelmError, match=re.escape(named)):
        render(values)


@each_scenario
def test_manifests_fit_the_schemas_of_kubernetes(path, tmp_path):
    documents = [doc for _, doc in render(scenario(path)) if doc["kind"] not in CUSTOM]
    assert {doc["kind"] for doc in documents} > {"ConfigMap", "Service"}
    for number, doc in enumerate(documents):
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump(doc))
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", "-k", "1.37", *sorted(tmp_path.glob("*.yaml"))]
    done = subprocess.run(command, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "Couldn't find schema" not in said, said


def pod_specs(documents):
    """Every pod that a scenario makes, by the name of what makes it."""
    for _, doc in documents:
        if doc["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield f"{doc['kind']}/{doc['metadata']['name']}", doc["spec"]["template"]["spec"]
        if doc["kind"] == "Pod":
            yield f"Pod/{doc['metadata']['name']}", doc["spec"]


@each_scenario
def test_pods_keep_to_the_restricted_standard(path):
    pods = dict(pod_specs(render(scenario(path))))
    assert pods
    for name, pod in pods.items():
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name
        assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False, name
        security = pod["securityContext"]
        assert security["runAsNonRoot"] and security["runAsUser"] > 0, name
        assert security["seccompProfile"]["type"] == "RuntimeDefault", name
        for volume in pod.get("volumes", []):
            assert not {"hostPath"} & volume.keys(), (name, volume)
        for container in pod["containers"] + pod.get("initContainers", []):
            inner = container["securityContext"]
            assert inner["allowPrivilegeEscalation"] is False and inner["readOnlyRootFilesystem"] is True, name
            assert inner["capabilities"] == {"drop": ["ALL"]} and not inner.get("privileged"), name
            for kind in ("requests", "limits"):
                assert {"cpu", "memory"} <= container["resources"][kind].keys(), (name, kind)
            image = container["image"]
            assert ":" in image and not image.endswith(":latest"), image
            for mount in container["volumeMounts"]:
                assert mount.get("readOnly") or mount["name"] == "data", (name, mount)


@each_scenario
def test_servers_have_every_probe_and_time_to_drain(path):
    values = scenario(path)
    documents = render(values)
    servers = of_kind(documents, "Deployment") + of_kind(documents, "StatefulSet")
    assert len(servers) == 1
    pod = servers[0]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    asked = {probe: container[probe]["grpc"]["service"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    # A server that waits for Redis is alive: it must not be killed for it.
    assert asked == {"startupProbe": "liveness", "readinessProbe": "readiness", "livenessProbe": "liveness"}
    shutdown = {"preStopSeconds": 5, "noticeSeconds": 5, "drainSeconds": 15, **values.get("shutdown", {})}
    assert pod["terminationGracePeriodSeconds"] > sum(shutdown.values())
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] == shutdown["preStopSeconds"]


@each_scenario
def test_references_are_to_things_that_are_there(path):
    """Selectors meet pods, mounts meet volumes, and what is named is made here or given as existing."""
    values = scenario(path)
    documents = render(values)
    made = {(doc["kind"], doc["metadata"]["name"]) for _, doc in documents}
    for name, pod in pod_specs(documents):
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        volumes |= {"data"} if name.startswith("StatefulSet") else set()
        mounts = {mount["name"] for c in pod["containers"] for mount in c["volumeMounts"]}
        assert mounts == volumes, name
        given = json.dumps(values)
        for volume in pod.get("volumes", []):
            for reference in references(volume):
                there = reference in made or f'"{reference[1]}"' in given
                there = there or reference[1].endswith("-tls") and ("Certificate", "kw-keyward") in made
                assert there, (name, reference)
    server = (of_kind(documents, "Deployment") + of_kind(documents, "StatefulSet"))[0]
    labels = server["spec"]["template"]["metadata"]["labels"]
    selectors = [doc["spec"]["selector"] for doc in of_kind(documents, "Service")]
    selectors += [doc["spec"]["selector"]["matchLabels"] for doc in of_kind(documents, "PodDisruptionBudget") + [server]]
    selectors += [doc["spec"]["podSelector"]["matchLabels"] for doc in of_kind(documents, "NetworkPolicy")]
    for selector in selectors:
        assert selector.items() <= labels.items()


def references(volume):
    """The secrets and config maps that a volume names."""
    for source in volume.get("projected", {}).get("sources", []):
        yield "Secret", source["secret"]["name"]
    if "secret" in volume:
        yield "Secret", volume["secret"]["secretName"]
    if "configMap" in volume:
        yield "ConfigMap", volume["configMap"]["name"]


def leaves(values, path=()):
    """Every value that a user can set, by its path."""
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from leaves(value, (*path, key))
    else:
        yield path


def test_every_value_is_used_by_a_template():
    text = "\n".join(p.read_text() for p in CHART.glob("templates/**/*") if p.is_file())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    free = {"resources", "labels", "settings"}
    for path in leaves(values):
        path = path[: next((i + 1 for i, key in enumerate(path) if key in free), len(path))]
        assert re.search(rf"\.{path[-1]}\b", text), f"{'.'.join(path)} is used nowhere"


def test_every_value_is_changed_by_a_scenario():
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    changed = {path[:2] if path[0] in ("resources", "settings") else path for s in SCENARIOS for path in leaves(scenario(s))}
    changed |= {path[:i] for path in changed for i in range(1, len(path))}
    missing = [".".join(p) for p in leaves(defaults) if p not in changed and p[0] != "resources" and "labels" not in p]
    assert not missing, missing


def test_network_policies_deny_first_and_keep_ingress_and_egress_apart():
    documents = render(scenario(CHART / "ci/cluster-values.yaml"))
    policies = {doc["metadata"]["name"]: doc["spec"] for doc in of_kind(documents, "NetworkPolicy")}
    deny = policies["kw-keyward-deny"]
    assert sorted(deny["policyTypes"]) == ["Egress", "Ingress"] and not {"ingress", "egress"} & deny.keys()
    assert policies["kw-keyward-ingress"]["policyTypes"] == ["Ingress"]
    assert policies["kw-keyward-egress"]["policyTypes"] == ["Egress"]
    open_to_all = [rule for rule in policies["kw-keyward-ingress"]["ingress"] if not rule.get("from")]
    assert not open_to_all


def test_notes_tell_the_next_three_steps():
    for path in SCENARIOS:
        text = notes(scenario(path))
        assert [step for step in re.findall(r"(?m)^(\d)\. ", text)] == ["1", "2", "3"], text
    assert "THIS IS A TRIAL" in notes({}) and "TRIAL" not in notes(scenario(CHART / "ci/cluster-values.yaml"))


def settings_of(values):
    """The rendered keyward.toml."""
    return next(doc for doc in of_kind(render(values), "ConfigMap") if "keyward.toml" in doc["data"])["data"]["keyward.toml"]


@each_scenario
def test_rendered_settings_are_what_keyward_reads(path, tmp_path):
    file = tmp_path / "keyward.toml"
    file.write_text(settings_of(scenario(path)))
    assert "sound" in keyward("config", "check", "--config", file).stdout


def test_replicas_of_a_cluster_share_every_key(tmp_path, servers):
    """What `keyward keys make` makes is what the secret must hold, every pod mounts it, and what each signs the others verify."""
    documents = render(scenario(CHART / "ci/cluster-mesh-values.yaml"))
    settings = tomllib.loads(settings_of(scenario(CHART / "ci/cluster-mesh-values.yaml")))
    [pod] = [pod for name, pod in pod_specs(documents) if name.startswith("Deployment")]
    [mounted] = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "keys"]
    [secret] = [volume["secret"] for volume in pod["volumes"] if volume["name"] == "keys"]
    keys = {
        "keys.key_ring_file": settings["keys"]["key_ring_file"],
        "keys.token_signing_key_file": settings["keys"]["token_signing_key_file"],
        "audit.signing_key_file": settings["audit"]["signing_key_file"],
    }
    assert {f"{mounted}/{item['path']}" for item in secret["items"]} == set(keys.values())
    keyward("keys", "make", "--to", tmp_path / "keys")
    assert {item["key"] for item in secret["items"]} == {path.name for path in (tmp_path / "keys").iterdir()}
    again = keyward("keys", "make", "--to", tmp_path / "keys", check=False)
    assert again.returncode == 1 and "is there already" in again.stderr

    flags = [f"{setting}={tmp_path}/keys/{path.rsplit('/', 1)[1]}" for setting, path in keys.items()]
    public = []
    for name in ("first", "second"):
        server = Keyward(tmp_path, *flags, name=name)
        servers.append(server)
        url = f"http://127.0.0.1:{server.http}/.well-known"
        public.append((http(f"{url}/keyward-audit-key"), http(f"{url}/jwks.json")))
        made = [path.name for path in (tmp_path / name).iterdir() if "key" in path.name]
        assert not made, "no pod makes keys of its own"
    assert public[0] == public[1] and all(public[0])


def test_the_readme_installs_a_cluster(tmp_path):
    """Its commands are run with a kubectl that keeps what it is given, and its values rendered: they speak of the same secrets."""
    readme = (CHART / "README.md").read_text()
    commands = re.search(r"```sh\n(keyward keys make.*?)```", readme, re.DOTALL).group(1)
    values = yaml.safe_load(re.search(r"```yaml\n(mode: cluster.*?)```", readme, re.DOTALL).group(1))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "kubectl").write_text('#!/bin/sh\nfor a in "$@"; do printf "%s\\n" "$a"; done >> kubectl.said\n')
    (programs / "kubectl").chmod(0o755)
    (programs / "keyward").symlink_to(KEYWARD)
    env = {**clean_environment(), "PATH": f"{programs}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=tmp_path, env=env, check=True)
    said = (tmp_path / "kubectl.said").read_text()
    made = {name: set(re.findall(r"--from-(?:file|literal)=(\w[\w-]*)", text)) for name, text in
            re.findall(r"generic\n(\S+)\n((?:--from.*\n)+)", said)}
    assert made.pop("keyward-keys") == {"keys"}
    assert {p.name for p in (tmp_path / "keys").iterdir()} == {"key-ring", "token-key.der", "audit-key.der"}
    token = (tmp_path / "portal-token").read_bytes()
    assert f"sha256={hashlib.sha256(token).hexdigest()}\n" in said and len(token) == 64
    documents = render(values)
    for _, pod in pod_specs(documents):
        for volume in pod.get("volumes", []):
            sources = [source["secret"] for source in volume.get("projected", {}).get("sources", [])]
            sources += [volume["secret"]] if "secret" in volume else []
            for secret in sources:
                name = secret.get("name") or secret["secretName"]
                if name in made:
                    assert {item["key"] for item in secret["items"]} <= made[name], (name, secret)
                else:
                    assert name in ("keyward-keys", "kw-keyward-tls"), name
    (tmp_path / "keyward.toml").write_text(settings_of(values))
    assert "sound" in keyward("config", "check", "--config", tmp_path / "keyward.toml").stdout


def test_an_auditor_is_one_in_the_settings_too():
    callers = tomllib.loads(settings_of(scenario(CHART / "ci/cluster-values.yaml")))["callers"]
    assert {caller["id"]: caller.get("audit", False) for caller in callers} == {"portal": False, "gateway": False, "auditor": True}


def test_the_defaults_render_as_they_did():
    """Regenerate with `KEYWARD_UPDATE=1 tests/charts/run -k as_they_did`, and read the difference."""
    documents = [doc for _, doc in render()]
    for doc in documents:
        if doc["kind"] == "Secret":
            doc["stringData"] = {key: "(random)" for key in doc["stringData"]}
    text = yaml.safe_dump_all(documents, sort_keys=True, width=120)
    snapshot = CHART / "ci/defaults.snapshot.yaml"
    if os.environ.get("KEYWARD_UPDATE"):
        snapshot.write_text(text)
    assert snapshot.read_text() == text


def test_the_token_of_a_trial_fits_its_hash():
    [secret] = of_kind(render(), "Secret")
    token = secret["stringData"]["token"]
    assert len(token) == 40 and hashlib.sha256(token.encode()).hexdigest() == secret["stringData"]["token.sha256"]
    assert not of_kind(render(scenario(CHART / "ci/cluster-values.yaml")), "Secret")

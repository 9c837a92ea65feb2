"""The image and the trial: the file system that the Dockerfile lays out, and the rendered manifests started on it."""

import hashlib
import json
import os
import re
import subprocess

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from conftest import BIN, KEYWARD, ROOT, Keyward, health, need, of_kind, render, until

IMAGE = "localhost/keyward:0.1.0"


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory):
    """The file system of the image, laid out as the Dockerfile does."""
    out = tmp_path_factory.mktemp("image") / "rootfs"
    subprocess.run(["bash", ROOT / "deploy/image/rootfs", KEYWARD, out], check=True)
    return out


def test_the_dockerfile_is_sound():
    done = subprocess.run([BIN / "hadolint", ROOT / "deploy/Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    text = (ROOT / "deploy/Dockerfile").read_text()
    assert "deploy/image/rootfs target/release/keyward /rootfs" in text, "what is tested is what the image holds"
    final = text[text.index("FROM scratch") :]
    assert re.findall(r"(?m)^USER (.*)$", final) == ["65532:65532"] and final.count("COPY") == 1


def test_the_image_holds_the_program_and_what_it_needs_alone(rootfs):
    files = {str(p.relative_to(rootfs)) for p in rootfs.rglob("*") if p.is_file()}
    programs = {f for f in files if os.access(rootfs / f, os.X_OK) and not re.search(r"/(lib|ld-linux)[^/]*\.so", f)}
    assert programs == {"usr/local/bin/keyward"}
    needed = subprocess.run(["ldd", KEYWARD], capture_output=True, text=True, check=True).stdout
    assert all(path[1:] in files for path in re.findall(r"(/\S+\.so\S*) ", needed)), needed


def test_the_bill_of_materials_is_that_of_the_program(rootfs):
    text = (rootfs / "usr/share/keyward/sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
    bom = json.loads(text)
    parts = bom["components"]
    assert bom["metadata"]["component"]["name"] == "keyward"
    assert all("hashes" in part for part in parts if not part["name"].startswith("keyward"))
    assert all(part["licenses"][0]["expression"] for part in parts)
    linked = {f"{part['name']}-{part['version']}" for part in parts if part["scope"] == "required"}
    # The program names the source files of its panics: each crate among them must be in the bill.
    named = set(re.findall(rb"/registry/src/[^/]+/([\w-]+?-\d+\.\d+\.\d+[\w.+-]*)/", KEYWARD.read_bytes()))
    named = {crate.decode() for crate in named}
    assert len(named) > 50 and named <= linked, named - linked
    assert "proptest" not in {part["name"] for part in parts}, "what tests alone use is no part of it"


def test_laid_out_twice_it_is_the_same(rootfs, tmp_path):
    subprocess.run(["bash", ROOT / "deploy/image/rootfs", KEYWARD, tmp_path / "again"], check=True)
    assert digest(rootfs) == digest(tmp_path / "again")


def digest(folder):
    """Names, contents and times of everything in a folder."""
    out = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        out.update(f"{path.relative_to(folder)} {path.lstat().st_mode} {path.lstat().st_mtime}".encode())
        if path.is_file():
            out.update(path.read_bytes())
    return out.hexdigest()


def test_it_runs_with_nothing_else_around_it(rootfs):
    if os.geteuid() != 0:
        pytest.skip("changing the root needs root")
    done = subprocess.run(
        ["chroot", "--userspec=65532:65532", rootfs, "/usr/local/bin/keyward", "--version"], capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.startswith("keyward "), done.stderr


@pytest.fixture(scope="module")
def podman(rootfs, tmp_path_factory):
    """Runs podman with the image at hand."""
    need("podman")
    folder = tmp_path_factory.mktemp("podman")
    # Explicit limits: where the machine's own cannot be raised, the defaults would be refused.
    limits = 'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]'
    (folder / "containers.conf").write_text(f'[containers]\n{limits}\n[engine]\ncgroup_manager = "cgroupfs"\n')
    env = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}

    def run(*arguments, check=True):
        done = subprocess.run(
            ["podman", "--root", folder / "root", "--runroot", folder / "run", *map(str, arguments)],
            capture_output=True, text=True, env=env, timeout=120,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done

    final = (ROOT / "deploy/Dockerfile").read_text().split("FROM scratch", 1)[1]
    final = final.replace("COPY --from=build /rootfs /", "COPY rootfs /")
    (rootfs.parent / "Containerfile").write_text("FROM scratch" + final)
    run("build", "-q", "-t", IMAGE, "-f", rootfs.parent / "Containerfile", rootfs.parent)
    if run("run", "--rm", "--network", "none", IMAGE, "--version", check=False).returncode != 0:
        pytest.skip("podman cannot start a container on this machine")
    yield run
    run("rm", "--all", "--force", check=False)
    run("unmount", "--all", check=False)


def materialised(pod, documents, folder):
    """The pod's volumes as folders, from the rendered config maps and secrets, with the modes that they ask for."""
    maps = {doc["metadata"]["name"]: doc["data"] for doc in of_kind(documents, "ConfigMap")}
    secrets = {doc["metadata"]["name"]: doc["stringData"] for doc in of_kind(documents, "Secret")}
    out = {}
    for volume in pod["volumes"]:
        sources = []
        if "configMap" in volume:
            sources = [(maps[volume["configMap"]["name"]], volume["configMap"].get("items"))]
        if "secret" in volume:
            sources = [(secrets[volume["secret"]["secretName"]], volume["secret"].get("items"))]
        for source in volume.get("projected", {}).get("sources", []):
            sources.append((secrets[source["secret"]["name"]], source["secret"]["items"]))
        out[volume["name"]] = folder / volume["name"]
        out[volume["name"]].mkdir()
        for data, items in sources:
            for item in items or [{"key": key, "path": key} for key in data]:
                path = out[volume["name"]] / item["path"]
                path.write_text(data[item["key"]])
                os.chown(path, 0, pod["securityContext"]["fsGroup"])
                path.chmod(0o440)
    return out


def run_pod(podman, pod, volumes, *more):
    """Starts a pod's container as its manifest says: user, root file system, capabilities, limits, mounts, arguments."""
    [container] = pod["containers"]
    security, inner = pod["securityContext"], container["securityContext"]
    flags = ["--user", f"{security['runAsUser']}:{security['runAsGroup']}", "--group-add", security["fsGroup"]]
    flags += ["--read-only"] if inner["readOnlyRootFilesystem"] else []
    flags += [f"--cap-drop={cap}" for cap in inner["capabilities"]["drop"]]
    flags += ["--security-opt=no-new-privileges"] if not inner["allowPrivilegeEscalation"] else []
    for variable in container.get("env", []):
        flags += ["--env", f"{variable['name']}={variable['value']}"]
    for mount in container["volumeMounts"]:
        mode = "ro" if mount.get("readOnly") else "rw"
        flags += ["--volume", f"{volumes[mount['name']]}:{mount['mountPath']}:{mode}"]
    return podman("run", *flags, *more, container["image"].replace("keyward:", "localhost/keyward:"), *container["args"],
                  check="-d" in more)


def test_the_trial_starts_from_its_manifests_and_passes_its_own_test(podman, tmp_path):
    documents = render()
    [trial] = of_kind(documents, "StatefulSet")
    pod = trial["spec"]["template"]["spec"]
    volumes = materialised(pod, documents, tmp_path)
    volumes["data"] = tmp_path / "data"
    volumes["data"].mkdir()
    os.chown(volumes["data"], 0, 65532)
    volumes["data"].chmod(0o2770)
    server = run_pod(podman, pod, volumes, "-d", "--network", "none").stdout.strip()
    try:
        exec_in = lambda *command: podman("exec", server, "/usr/local/bin/keyward", *command, check=False)
        logs = lambda: podman("logs", server, check=False)
        until(lambda: "is serving" in logs().stdout + logs().stderr)
        [test] = [doc for doc in of_kind(documents, "Pod")]
        inside = tmp_path / "test"
        inside.mkdir()
        hosts = ["--network", f"container:{server}"]
        url = next(a for a in test["spec"]["containers"][0]["args"] if a.startswith("--url"))
        assert url == "--url=http://kw-keyward.health.svc:50051"
        (inside / "hosts").write_text("127.0.0.1 localhost kw-keyward.health.svc\n")
        hosts += ["--volume", f"{inside / 'hosts'}:/etc/hosts:ro"]
        asked = run_pod(podman, test["spec"], materialised(test["spec"], documents, inside), "--rm", *hosts)
        assert asked.returncode == 0 and asked.stdout.startswith("OUTCOME_ALLOW"), asked.stdout + asked.stderr + logs().stderr
        assert exec_in("probe").returncode == 1, "without a token nobody is answered"
        doctor = exec_in("doctor")
        assert doctor.returncode == 0 and "FAIL" not in doctor.stdout, doctor.stdout
        assert (volumes["data"] / "data/audit.db").exists(), "state is in the volume"
    finally:
        ended = podman("stop", "--time", "20", server, check=False)
    code = podman("inspect", "--format", "{{.State.ExitCode}}", server).stdout.strip()
    assert ended.returncode == 0 and code == "0", podman("logs", server).stderr


def test_every_grpc_probe_of_the_manifests_is_answered(tmp_path, servers):
    """The kubelet's question, as gRPC, to the real server with the rendered settings."""
    server = Keyward(tmp_path)
    servers.append(server)
    [trial] = of_kind(render(), "StatefulSet")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        service = trial["spec"]["template"]["spec"]["containers"][0][probe]["grpc"]["service"]
        assert health(server.health, service) == "SERVING", probe

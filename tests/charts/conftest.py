"""What the tests share: rendering the chart, real servers on free ports, and how to end them."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import helm_python as helm
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/keyward"
KEYWARD = pathlib.Path(os.environ.get("KEYWARD_BINARY", ROOT / "target/release/keyward"))
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))
BIN = pathlib.Path(sys.executable).parent

sys.dont_write_bytecode = True


def render(values=None, namespace="health", name="kw"):
    """The manifests as `(template, document)`, as Helm would send them to the cluster, notes apart."""
    with helm.Chart.load(str(CHART)) as chart:
        files = chart.render(values or {}, name=name, namespace=namespace)
    out = []
    for template, text in sorted(files.items()):
        if template.endswith(".txt"):
            continue
        out += [(template, doc) for doc in yaml.safe_load_all(text) if doc]
    return out


def notes(values):
    """What Helm prints after an installation."""
    with helm.Chart.load(str(CHART)) as chart:
        return chart.render(values, name="kw", namespace="health")["keyward/templates/NOTES.txt"]


def scenario(path):
    """The values of a scenario."""
    return yaml.safe_load(path.read_text())


def of_kind(documents, kind):
    """The documents of a kind."""
    return [doc for _, doc in documents if doc["kind"] == kind]


def free_port():
    """A port that nobody has at the moment."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(what, seconds=20.0):
    """Waits until `what()` is true, and gives what it gave."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


def http(url, body=None, timeout=10, **headers):
    """The body of an HTTP answer, or nothing when there is none yet."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers), timeout=timeout) as answer:
            return answer.read().decode()
    except OSError:
        return None


class Server:
    """A program in the background, whose output is kept."""

    def __init__(self, argv, log, **kw):
        self.log = pathlib.Path(log)
        self.file = self.log.open("wb")
        self.process = subprocess.Popen([str(a) for a in argv], stdout=self.file, stderr=subprocess.STDOUT, **kw)

    def text(self):
        """What it printed."""
        return self.log.read_text(errors="replace")

    def running(self):
        """Whether it still runs."""
        return self.process.poll() is None

    def stop(self, seconds=20):
        """Asks it to end, waits, and gives its exit code."""
        if self.running():
            self.process.terminate()
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.file.close()
        return code


def clean_environment():
    """This process's environment without settings of keyward."""
    return {k: v for k, v in os.environ.items() if not k.startswith("KEYWARD_")}


def keyward(*arguments, check=True, **kw):
    """Runs keyward to its end."""
    done = subprocess.run(
        [str(KEYWARD), *map(str, arguments)], capture_output=True, text=True, env=clean_environment(), timeout=120, **kw
    )
    assert not check or done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done


class Keyward(Server):
    """A keyward that serves, on free ports of loopback."""

    def __init__(self, folder, *flags, name="keyward", config=None, grpc=None, data=None):
        folder = pathlib.Path(folder)
        self.grpc, self.http, self.health = grpc or free_port(), free_port(), free_port()
        argv = [KEYWARD, "serve", *(["--config", config] if config else [])]
        argv += ["--listen", f"127.0.0.1:{self.grpc}", "--data-dir", data or folder / name]
        for setting in (f"http.listen=127.0.0.1:{self.http}", f"server.health_listen=127.0.0.1:{self.health}", *flags):
            argv += ["--set", setting]
        super().__init__(argv, folder / f"{name}.log", env=clean_environment())
        until(lambda: not self.running() or http(f"http://127.0.0.1:{self.http}/healthz"))
        assert self.running(), self.text()

    def metrics(self):
        """What it measures, as Prometheus would read it."""
        return http(f"http://127.0.0.1:{self.http}/metrics")


@pytest.fixture
def servers():
    """Servers to be stopped when the test ends: append them."""
    started = []
    yield started
    for server in reversed(started):
        server.stop()


def need(command):
    """Skips the test, saying so, when a command is not on this machine."""
    if not shutil.which(command):
        pytest.skip(f"no {command} on this machine")


def health(port, service):
    """What the gRPC health service of a port says of a service, as a kubelet would ask."""
    import grpc

    name = service.encode()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        answer = check(b"\x0a" + bytes([len(name)]) + name if name else b"", timeout=5)
    return {b"\x08\x01": "SERVING", b"\x08\x02": "NOT_SERVING"}.get(answer, answer)


def figures(text):
    """The figures that `keyward probe` printed."""
    return {key: int(value) for key, value in (line.split("=") for line in text.splitlines() if line[0] != "#")}

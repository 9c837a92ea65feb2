"""PostgreSQL as a cluster uses it: the migrations of the hook job, and a dump that is restored and served."""

import glob
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest
from conftest import Keyward, Server, free_port, keyward, until


@pytest.fixture
def postgres():
    """A PostgreSQL of its own; gives a function that runs its tools, and its address."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin")) or [str(pathlib.Path(shutil.which("initdb") or "/nowhere/x").parent)]
    tools = pathlib.Path(found[-1])
    if not (tools / "initdb").exists():
        pytest.skip("no PostgreSQL on this machine")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="keyward-postgres-"))
    user = []
    if os.geteuid() == 0:
        # The server refuses root.
        shutil.chown(folder, "postgres", "postgres")
        user = ["runuser", "-u", "postgres", "--"]
    port = free_port()

    def run(tool, *arguments):
        argv = [*user, tools / tool, *arguments]
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("initdb", "-D", folder / "data", "-A", "trust", "-U", "postgres", "--no-sync")
    argv = [*user, tools / "postgres", "-D", folder / "data", "-p", port, "-k", folder, "-h", "127.0.0.1"]
    server = Server(argv, folder / "log", cwd=folder)
    until(lambda: "ready to accept connections" in server.text())
    run.at, run.folder = ["-h", "127.0.0.1", "-p", port, "-U", "postgres"], folder
    run.url = lambda database: f"postgres://postgres@127.0.0.1:{port}/{database}"
    yield run
    run("pg_ctl", "-D", folder / "data", "-m", "fast", "-w", "stop")
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_schema_is_brought_forward_and_a_dump_is_restored_and_served(postgres, tmp_path, servers):
    def flags(database):
        return ["store.durable=postgres", f"postgres.url={postgres.url(database)}", "postgres.tls=off"]

    def told(database):
        return [word for flag in flags(database) for word in ("--set", flag)]

    postgres("createdb", *postgres.at, "keyward")
    assert keyward("migrate", "--check", *told("keyward"), check=False).returncode == 1
    keyward("migrate", *told("keyward"))
    keyward("migrate", *told("keyward"))
    keyward("migrate", "--check", *told("keyward"))

    data = tmp_path / "keys"
    first = Keyward(tmp_path, *flags("keyward"), name="first", data=data)
    servers.append(first)
    for _ in range(3):
        keyward("probe", "--url", f"http://127.0.0.1:{first.grpc}")
    postgres("pg_dump", *postgres.at, "--format=custom", "--file=keyward.dump", "keyward")
    first.stop()

    postgres("createdb", *postgres.at, "restored")
    postgres("pg_restore", *postgres.at, "--exit-on-error", "--dbname=restored", "keyward.dump")
    keyward("migrate", "--check", *told("restored"))
    second = Keyward(tmp_path, *flags("restored"), name="second", data=data)
    servers.append(second)
    said = keyward("probe", "--url", f"http://127.0.0.1:{second.grpc}").stdout
    index = int(re.search(r"audit_index=(\d+)", said).group(1))
    assert said.startswith("OUTCOME_ALLOW") and index >= 3, "the log goes on where the dump ended"
    assert "FAIL" not in keyward("doctor", *told("restored"), "--data-dir", data).stdout

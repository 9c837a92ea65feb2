"""Runbooks: their commands exist, their links lead somewhere, and the restore that they describe works."""

import re
import shlex
import sqlite3

import pytest
from conftest import ROOT, Keyward, keyward
from test_operations import probe_in_background

RUNBOOKS = sorted((ROOT / "deploy/runbooks").glob("*.md"))
SAMPLE = (ROOT / "deploy/config/keyward.toml").read_text()


def commands(text):
    """The commands in a text that begin with keyward."""
    spans = re.findall(r"`([^`]+)`", text)
    return [span for span in spans if re.match(r"keyward [a-z]", span)]


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_commands_settings_and_links_exist(path):
    text = path.read_text()
    for command in commands(text):
        words = shlex.split(command)[1:]
        names = [w for i, w in enumerate(words) if re.fullmatch("[a-z][a-z-]*", w) and not (i and words[i - 1].startswith("--"))]
        told = keyward(*names[:2], "--help", check=False)
        if told.returncode != 0:
            told = keyward(*names[:1], "--help")
        for flag in re.findall(r"(--[a-z-]+)", command):
            assert flag in told.stdout or flag == "--help", (path.name, command)
    for section, key in re.findall(r"`(server|redis|postgres|limits|assessment|keys|store|audit)\.(?!db`)([a-z_]+)`", text):
        assert re.search(rf"(?s)\[{section}\].*?\n#?{key} =", SAMPLE), (path.name, section, key)
    for method in re.findall(r"keyward\.v1\.(\w+Service/\w+)", text):
        service, name = method.split("/")
        protos = "".join(p.read_text() for p in (ROOT / "proto/keyward/v1").glob("*.proto"))
        assert f"service {service} " in protos and f"rpc {name}(" in protos, (path.name, method)
    for link in re.findall(r"\]\(([\w./-]+)\)", text):
        assert (path.parent / link).exists(), (path.name, link)
    if path.name != "README.md":
        assert "**Over when**" in text or path.stem == "restore", path.name
        assert f"({path.name})" in (path.parent / "README.md").read_text(), f"{path.name} is not in the list"


def rows(path, query):
    """What a file of the embedded store holds."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        return database.execute(query).fetchall()


def test_a_backup_made_under_load_is_restored_and_serves(tmp_path, servers):
    """As the runbook has it: copy beside the running server, lose everything but the keys, restore, examine, serve."""
    server = Keyward(tmp_path)
    servers.append(server)
    data, backup = tmp_path / "keyward", tmp_path / "backup"
    load = probe_in_background("--url", f"http://127.0.0.1:{server.grpc}", "--seconds", 3, "--rate", 50)
    keyward("probe", "--url", f"http://127.0.0.1:{server.grpc}")
    said = keyward("backup", "--to", backup, "--data-dir", data)
    assert "keep the keys apart" in said.stdout
    told = load()
    assert told["failed"] == 0 and told["allowed"] == told["asked"], told
    again = keyward("backup", "--to", backup, "--data-dir", data, check=False)
    assert again.returncode == 1 and not any("key" in p.name for p in backup.iterdir())
    server.stop()

    kept = {table: rows(backup / "audit.db", f"SELECT * FROM {table} ORDER BY 1") for (table,) in
            rows(backup / "audit.db", "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'")}
    restored = tmp_path / "restored"
    restored.mkdir(mode=0o700)
    for path in [*backup.iterdir(), *(p for p in data.iterdir() if "key" in p.name)]:
        (restored / path.name).write_bytes(path.read_bytes())
        (restored / path.name).chmod(0o600)
    for table, before in kept.items():
        now = dict.fromkeys(rows(data / "audit.db", f"SELECT * FROM {table} ORDER BY 1"))
        assert table.startswith("sqlite") or all(row in now for row in before), "the copy is what was there"
    assert sum(len(found) for found in kept.values()) > 1
    doctor = keyward("doctor", "--data-dir", restored)
    assert "is whole" in doctor.stdout and "FAIL" not in doctor.stdout, doctor.stdout
    after = Keyward(tmp_path, name="after", data=restored)
    servers.append(after)
    said = keyward("probe", "--url", f"http://127.0.0.1:{after.grpc}").stdout
    index = int(re.search(r"audit_index=(\d+)", said).group(1))
    assert said.startswith("OUTCOME_ALLOW") and index >= 1, "the log goes on where the copy ended"


def test_a_database_is_not_copied_by_backup_which_says_what_does(tmp_path):
    told = keyward("backup", "--to", tmp_path / "backup", "--set", "store.durable=postgres", "--set", "postgres.url=postgres://keyward@db/keyward",
                   check=False)
    assert told.returncode == 1 and not (tmp_path / "backup").exists()
    assert "pg_dump" in told.stderr and "deploy/runbooks/restore.md" in told.stderr and "pg_restore" in (ROOT / "deploy/runbooks/restore.md").read_text()


def test_doctor_tells_of_a_schema_that_a_newer_program_made(tmp_path, servers):
    server = Keyward(tmp_path)
    servers.append(server)
    data = tmp_path / "keyward"
    assert "is whole, and its schema is current" in keyward("doctor", "--data-dir", data).stdout
    server.stop()
    with sqlite3.connect(data / "state.db") as database:
        database.execute("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'x', 1, x'00', 0)")
    done = keyward("doctor", "--data-dir", data, check=False)
    [found] = [line for line in done.stdout.splitlines() if line.startswith("FAIL  embedded store")]
    assert "schema version 99" in found and "run the newer program" in found and found.endswith("(deploy/runbooks/restore.md)"), found


def test_doctor_leads_to_runbooks(tmp_path):
    (tmp_path / "broken.cedar").write_text("permit (")
    done = keyward("doctor", "--data-dir", tmp_path / "d", "--set", f"policy.file={tmp_path}/broken.cedar", "--set",
                   "store.hot=redis", "--set", "redis.url=redis://127.0.0.1:1/", check=False)
    assert done.returncode == 1
    linked = re.findall(r"FAIL .*\(deploy/runbooks/(\S+)\)", done.stdout)
    assert {"policy-rollback.md", "redis-outage.md"} <= set(linked), done.stdout

#!/usr/bin/env python3
"""Prints what the program is made of, as CycloneDX 1.5: `sbom.py FOLDER`, with the folder of the workspace.

Crates that are linked into the program have scope `required`; those that only took part in building it (procedural macros, build
scripts and what they use) have `excluded`. What tests alone use is absent. The same lock file and target give the same text, byte
for byte."""

import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid


def crates(root, edges):
    """Name, version and licence of each crate that the program reaches over such edges, on this platform."""
    argv = ["cargo", "tree", "--locked", "-p", "keyward", "--prefix", "none", "--no-dedupe", "--edges", edges, "--format", "{p}|{l}"]
    told = subprocess.run(argv, cwd=root, check=True, capture_output=True, text=True).stdout
    found = {}
    for line in told.splitlines():
        package, licence = line.split("|")
        name, version = re.match(r"(\S+) v(\S+)", package).groups()
        # Before SPDX expressions, a slash stood for OR.
        found[name, version] = re.sub(r" */ *", " OR ", licence)
    return found


def component(name, version, licence, scope, checksums):
    """A crate, with the checksum that its registry gave; the workspace's own have none."""
    out = {"type": "library", "name": name, "version": version, "scope": scope}
    out["bom-ref"] = out["purl"] = f"pkg:cargo/{name}@{version}"
    if licence:
        out["licenses"] = [{"expression": licence}]
    if checksum := checksums.get((name, version)):
        out["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return out


def main():
    root = pathlib.Path(sys.argv[1])
    lock = (root / "Cargo.lock").read_bytes()
    checksums = {(p["name"], p["version"]): p.get("checksum") for p in tomllib.loads(lock.decode())["package"]}
    linked, all_of_them = crates(root, "normal,no-proc-macro"), crates(root, "normal,build")
    parts = [
        component(name, version, licence, "required" if (name, version) in linked else "excluded", checksums)
        for (name, version), licence in sorted(all_of_them.items())
    ]
    [program] = [part for part in parts if part["name"] == "keyward"]
    serial = uuid.UUID(bytes=hashlib.sha256(json.dumps(parts).encode()).digest()[:16], version=4)
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {**{k: v for k, v in program.items() if k != "scope"}, "type": "application"}},
        "components": [part for part in parts if part is not program],
    }
    print(json.dumps(bom, indent=1))


if __name__ == "__main__":
    main()

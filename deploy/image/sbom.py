#!/usr/bin/env python3
"""Prints what keyward is made of, as CycloneDX 1.5, from Cargo.lock: `sbom.py Cargo.lock`. The same lock file gives the same
text, byte for byte."""

import hashlib
import json
import sys
import tomllib
import uuid


def component(package):
    """A crate, with the checksum that its registry gave."""
    out = {"type": "library", "name": package["name"], "version": package["version"]}
    out["bom-ref"] = out["purl"] = f"pkg:cargo/{package['name']}@{package['version']}"
    if "checksum" in package:
        out["hashes"] = [{"alg": "SHA-256", "content": package["checksum"]}]
    return out


def main():
    with open(sys.argv[1], "rb") as file:
        lock = file.read()
    packages = tomllib.loads(lock.decode())["package"]
    [program] = [p for p in packages if p["name"] == "keyward"]
    serial = uuid.UUID(bytes=hashlib.sha256(lock).digest()[:16], version=4)
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {**component(program), "type": "application"}},
        "components": [component(p) for p in packages if p is not program],
    }
    print(json.dumps(bom, indent=1))


if __name__ == "__main__":
    main()

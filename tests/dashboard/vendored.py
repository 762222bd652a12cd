"""`make vendor`: rebuild the JavaScript of others that the dashboard and its tests use.

Reads VENDOR.toml beside each bundle. Each package is downloaded by ``npm pack``, compared with its
SHA-256, and bundled by the pinned esbuild. Needs npm, and Linux on x86-64; nothing else in pgqueue
does. `--check` writes nothing, and fails if a file differs from what would be written.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "api/pgqueue_api/dashboard/static/vendor", ROOT / "tests/dashboard/vendor"]


def fetch(name: str, version: str, sha256: str, into: Path) -> None:
    """Unpack a package of npm into ``into/node_modules``, if it is the one that was pinned."""
    command = ["npm", "pack", f"{name}@{version}", "--json", "--silent"]
    packed = subprocess.run(command, check=True, capture_output=True, cwd=into)
    named = json.loads(packed.stdout)
    entry = named[0] if isinstance(named, list) else next(iter(named.values()))
    archive = into / entry["filename"]
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != sha256:
        sys.exit(f"{name}@{version}: expected SHA-256 {sha256}, got {found}")
    target = into / "node_modules" / name
    target.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    shutil.copytree(into / "package", target, dirs_exist_ok=True)
    shutil.rmtree(into / "package")


def licences(packages: list[dict[str, Any]], modules: Path) -> str:
    """Return the licences of what a folder holds, as the packages have them."""
    parts = []
    for package in packages:
        [file] = [f for f in (modules / package["name"]).glob("LICENSE*") if f.suffix != ".html"][
            :1
        ]
        parts.append(f"{package['name']} {package['version']}\n\n{file.read_text().strip()}\n")
    return f"\n{'-' * 80}\n\n".join(parts)


def build(folder: Path, into: Path) -> dict[str, bytes]:
    """Return the files of a folder by name."""
    pinned = tomllib.loads((folder / "VENDOR.toml").read_text())
    for package in [*pinned["package"], *pinned.get("tool", [])]:
        fetch(package["name"], package["version"], package["sha256"], into)
    modules = into / "node_modules"
    files = {}
    for output in pinned["output"]:
        if "entry" in output:
            [platform] = [p for p in modules.glob("@esbuild/*") if p.is_dir()]
            (into / "entry.js").write_text(output["entry"])
            command = [
                str(platform / "bin/esbuild"),
                "entry.js",
                "--bundle",
                "--format=esm",
                "--minify",
            ]
            command += [
                "--target=es2022",
                "--legal-comments=none",
                '--define:process.env.NODE_ENV="production"',
            ]
            text = subprocess.run(command, check=True, capture_output=True, cwd=into).stdout
        else:
            text = (modules / output["copy"]).read_bytes()
        files[output["file"]] = text
    files["LICENSES.txt"] = licences(pinned["package"], modules).encode()
    return files


def main() -> None:
    """Write the files, or compare them."""
    differ = []
    for folder in FOLDERS:
        with tempfile.TemporaryDirectory() as scratch:
            for name, text in build(folder, Path(scratch)).items():
                path = folder / name
                if "--check" not in sys.argv:
                    path.write_bytes(text)
                elif not path.exists() or path.read_bytes() != text:
                    differ.append(str(path.relative_to(ROOT)))
    if differ:
        sys.exit(f"not what `make vendor` writes: {', '.join(differ)}")


if __name__ == "__main__":
    main()

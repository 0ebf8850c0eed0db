"""What type checkers and readers of the stubs are told."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import loadwise

TESTS = Path(__file__).parent


def run(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=TESTS, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stubs_say_what_the_module_has() -> None:
    run("mypy.stubtest", "loadwise._loadwise")


def test_the_package_and_its_use_are_typed() -> None:
    run("mypy", "--strict", "--package", "loadwise")
    run("mypy", "--strict", str(TESTS))


def test_everything_public_has_a_description() -> None:
    for name in set(loadwise.__all__) - {"CODES"}:
        assert getattr(loadwise, name).__doc__, name
    for kind in (loadwise.Pool, loadwise.Pick, loadwise.Engine):
        for name, member in vars(kind).items():
            assert name.startswith("_") or member.__doc__, f"{kind.__name__}.{name}"


def test_the_metadata_of_the_package() -> None:
    told = metadata.metadata("loadwise")
    assert told["License-Expression"] == "MIT OR Apache-2.0"
    assert told["Requires-Python"] == ">=3.10"
    assert not metadata.requires("loadwise") or all("extra ==" in r for r in metadata.requires("loadwise") or [])
    assert "which of these nodes takes the next request?" in told.json["description"]
    files = {Path(str(f)).name: f for f in metadata.files("loadwise") or []}
    assert {"py.typed", "_loadwise.pyi", "LICENSE-MIT", "LICENSE-APACHE"} <= set(files)
    assert "Permission is hereby granted" in files["LICENSE-MIT"].read_text()
    assert "Apache License" in files["LICENSE-APACHE"].read_text()

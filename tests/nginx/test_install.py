"""`make install-nginx` puts the module where nginx loads it from, and what docs/nginx.md shows is taken by nginx."""

import re
import subprocess

import pytest

import proxy as proxy_module
from proxy import ROOT, STREAM, Nginx

DOCS = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "nginx.md").read_text(), re.S)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    # As built: the tests of all else run on it.
    command = ["make", "-s", "-o", "nginx", "install-nginx", f"PREFIX={tmp_path}/usr"]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    modules = tmp_path / "usr" / "lib" / "nginx" / "modules"
    assert f"load_module {modules}/ngx_http_loadwise_module.so;" in said
    monkeypatch.setattr(proxy_module, "MODULES", modules)
    return modules


def test_what_is_installed_is_loaded(tmp_path, installed):
    both = "upstream api { loadwise; server 127.0.0.1:1; }"
    ok, said = Nginx(tmp_path, both, stream=both).check()
    assert ok, said


@pytest.mark.parametrize("text", DOCS)
def test_what_the_guide_shows_is_taken(tmp_path, installed, text):
    # Paths and listeners of this machine in place of those of the guide.
    text = text.replace("/usr/local/lib/nginx/modules", str(installed)).replace("listen 80;", "listen 127.0.0.1:8080;")
    text = text.replace("/usr/lib/nginx/modules/ngx_stream_module.so", str(STREAM)).replace("example.com:", "127.0.0.1:")
    (tmp_path / "api.yaml").write_text("breaker: true\n")
    proxy = Nginx(tmp_path, "" if "events {" in text else text)
    if "events {" in text:
        (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/nginx.pid;\n{text}")
    ok, said = proxy.check()
    assert ok, said


def test_the_guide_has_examples():
    assert len(DOCS) >= 4 and any("events {" in text for text in DOCS)

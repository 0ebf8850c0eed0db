"""What is wrong with a configuration is told by `nginx -t`, with the file and the line. The line that is to be named is
marked by `# here`."""

import pytest

from proxy import Nginx

BAD = {
    "an unknown strategy": ("upstream api {\nloadwise strategy=zip; # here\nserver 127.0.0.1:1;\n}", 'unknown strategy "zip"'),
    "a setting that cannot be": (
        'upstream api {\nloadwise "strategy={name: maglev, table_size: 1}"; # here\nserver 127.0.0.1:1;\n}',
        "table_size",
    ),
    "an unknown parameter": ("upstream api {\nloadwise p2c; # here\nserver 127.0.0.1:1;\n}", 'invalid parameter "p2c"'),
    "twice": ("upstream api {\nloadwise;\nloadwise; # here\nserver 127.0.0.1:1;\n}", "is duplicate"),
    "beside another method": ("upstream api {\nleast_conn;\nloadwise; # here\nserver 127.0.0.1:1;\n}", "stand alone"),
    "a name that no pool can have": ('upstream "a b" {\nloadwise; # here\nserver 127.0.0.1:1;\n}', "cannot be named so"),
    "a key alone": ("upstream api {\nloadwise_key $arg_k; # here\nserver 127.0.0.1:1;\n}", 'needs "loadwise" before it'),
    "a session alone": ("upstream api {\nloadwise_session $arg_k; # here\nserver 127.0.0.1:1;\n}", 'needs "loadwise"'),
    "a file alone": ("upstream api {\nloadwise_config x; # here\nserver 127.0.0.1:1;\n}", 'needs "loadwise"'),
    "checks alone": ("upstream api {\nloadwise_check tcp; # here\nserver 127.0.0.1:1;\n}", 'needs "loadwise"'),
    "an unknown check": ("upstream api {\nloadwise;\nloadwise_check ping; # here\nserver 127.0.0.1:1;\n}", '"ping"'),
    "a time that is none": (
        "upstream api {\nloadwise;\nloadwise_check tcp interval=soon; # here\nserver 127.0.0.1:1;\n}",
        '"interval=soon"',
    ),
    "a path that is none": ("upstream api {\nloadwise;\nloadwise_check http uri=x; # here\nserver 127.0.0.1:1;\n}", '"uri=x"'),
    "a path with a line break": (
        'upstream api {\nloadwise;\nloadwise_check http "uri=/\\nx: y"; # here\nserver 127.0.0.1:1;\n}',
        "control character",
    ),
    "a path for tcp": ("upstream api {\nloadwise;\nloadwise_check tcp uri=/; # here\nserver 127.0.0.1:1;\n}", '"uri=/"'),
    "a check that cannot be": (
        "upstream api {\nloadwise; # here\nloadwise_check tcp fails=999;\nserver 127.0.0.1:1;\n}",
        "checks.failure_threshold",
    ),
    "different max_fails": (
        "upstream api {\nloadwise; # here\nserver 127.0.0.1:1 max_fails=2;\nserver 127.0.0.1:2 max_fails=3;\n}",
        'different "max_fails"',
    ),
    "different fail_timeout": (
        "upstream api {\nloadwise; # here\nserver 127.0.0.1:1 fail_timeout=2;\nserver 127.0.0.1:2 fail_timeout=3;\n}",
        'different "fail_timeout"',
    ),
    "too many failures": ("upstream api {\nloadwise; # here\nserver 127.0.0.1:1 max_fails=300;\n}", "health.failure_threshold"),
    "too much weight": (
        "upstream api {\nloadwise; # here\nserver 127.0.0.1:1 weight=4294967295;\nserver 127.0.0.1:2;\n}",
        "weight",
    ),
    "primary and backup": (
        "upstream api {\nloadwise; # here\nserver 127.0.0.1:1;\nserver 127.0.0.1:1 backup;\n}",
        "primary and backup",
    ),
    "a mode of nothing": ("upstream api {\nloadwise mode=0660; # here\nserver 127.0.0.1:1;\n}", 'need "shared"'),
    "a mode that is none": (
        "upstream api {\nloadwise shared=/dev/shm/x mode=0960; # here\nserver 127.0.0.1:1;\n}",
        "shared.mode: must be octal digits",
    ),
    "a policy that is none": (
        "upstream api {\nloadwise shared=/dev/shm/x on_bad_segment=hope; # here\nserver 127.0.0.1:1;\n}",
        'unknown word "hope"',
    ),
    "a number that is none": (
        'upstream api {\nloadwise shared=/dev/shm/x "max_processes=9}, {"; # here\nserver 127.0.0.1:1;\n}',
        'invalid parameter "max_processes=9}, {"',
    ),
    "too many processes": (
        "upstream api {\nloadwise shared=/dev/shm/x max_processes=256; # here\nserver 127.0.0.1:1;\n}",
        "shared.max_processes",
    ),
    "a path from somewhere": (
        'upstream api {\nloadwise "shared=x \\"}"; # here\nserver 127.0.0.1:1;\n}',
        'the path of "shared" must begin with "/"',
    ),
    "a path with other settings": (
        "upstream a {\nloadwise shared=/dev/shm/x;\nserver 127.0.0.1:1;\n}\n"
        "upstream b {\nloadwise shared=/dev/shm/x mode=0660; # here\nserver 127.0.0.1:1;\n}",
        'other settings for the same "shared"',
    ),
    "another format": ("server {\nlisten 127.0.0.1:1;\nlocation / {\nloadwise_status xml; # here\n}\n}", 'invalid parameter "xml"'),
    "a status of a server": ("server {\nlisten 127.0.0.1:1;\nloadwise_status; # here\n}", "is not allowed here"),
}

FILES = {
    "an unknown key": ("strategy: p2c\nretries: 3\n", 'line 2: retries: unknown key "retries"'),
    "a value out of range": ("health:\n  failure_threshold: 0\n", "line 2: health.failure_threshold"),
    "no YAML": ("{", "line 1"),
    "a node that is no server": ("nodes: [x]\n", 'node "x" of'),
    "a node that has its parameters twice": ("nodes: ['127.0.0.1:2']\n", '"weight", "max_conns", "backup" or "down"'),
    "a state from somewhere": ("shared: x\n", 'the path of "shared" in'),
    "two nodes of one server": ("nodes: [{id: a, address: '127.0.0.1:1'}, '127.0.0.1:1']\n", "is another node there, too"),
}


@pytest.fixture
def check(tmp_path):
    def run(http="", stream=""):
        proxy = Nginx(tmp_path, http, stream=stream)
        text = (tmp_path / "nginx.conf").read_text().split("\n")
        line = next((i + 1 for i, line in enumerate(text) if line.endswith("# here")), None)
        return *proxy.check(), f"nginx.conf:{line}\n"

    return run


@pytest.mark.parametrize("http, message", BAD.values(), ids=BAD)
def test_what_is_wrong_is_told_with_its_line(check, http, message):
    ok, said, place = check(http)
    assert not ok
    error = next(line for line in said.splitlines() if "[emerg]" in line) + "\n"
    assert message in error and error.endswith(place), said


def test_keepalive_comes_after_it_where_the_order_matters(check):
    """It does not in newer nginx."""
    ok, said, place = check("upstream api {\nserver 127.0.0.1:1;\nkeepalive 4;\nloadwise; # here\n}")
    assert ok or ('before "keepalive"' in said and place.strip() in said), said


@pytest.mark.parametrize("text, message", FILES.values(), ids=FILES)
def test_what_is_wrong_with_a_file_is_told_with_its_line_too(check, tmp_path, text, message):
    (tmp_path / "pool.yaml").write_text(text)
    ok, said, _ = check("upstream api {\nloadwise;\nloadwise_config pool.yaml;\nserver 127.0.0.1:1;\nserver 127.0.0.1:2 weight=2;\n}")
    assert not ok
    error = next(line for line in said.splitlines() if "[emerg]" in line)
    assert message in error and "pool.yaml" in error and "nginx.conf:" in error, said


def test_files_that_cannot_be_read(check, tmp_path):
    wrong = "upstream api {\nloadwise;\nloadwise_config %s; # here\nserver 127.0.0.1:1;\n}"
    (tmp_path / "long.yaml").write_text("#" * (1 << 20) + "\n")
    for name, message in [("absent.yaml", "cannot be opened"), (".", "is not a file"), ("long.yaml", "is not a file of at most")]:
        ok, said, place = check(wrong % name)
        assert not ok and message in said and place.strip() in said, said


def test_everything_that_can_be_said(check, tmp_path):
    (tmp_path / "pool.yaml").write_text("breaker: true\nnodes: [{id: a, address: '127.0.0.1:4', labels: {version: v2}}]\n")
    upstream = """upstream api {
        loadwise "strategy=[{name: maglev, bounded_load: true}, round_robin]" latency=header shared=/dev/shm/x mode=0660 on_bad_segment=recreate max_processes=99;
        loadwise_config pool.yaml;
        loadwise_key $%s;
        loadwise_session $remote_addr;
        loadwise_check http uri=/health host=example.com interval=500ms timeout=1s fails=2 passes=1;
        server 127.0.0.1:1 weight=5 max_conns=100 max_fails=2 fail_timeout=600s;
        server 127.0.0.1:2 down;
        server 127.0.0.1:3 backup;
        server 127.0.0.1:4;
        server unix:/nowhere.sock;
        server localhost:5;
        %s
    }"""
    ok, said, _ = check(upstream % ("request_uri", "zone z 256k;\nkeepalive 4;"), upstream % ("remote_port", ""))
    assert ok, said


def test_a_server_that_is_there_twice_is_one_node(check):
    ok, said, _ = check("upstream api {\nloadwise;\nserver 127.0.0.1:1;\nserver 127.0.0.1:1;\n}")
    assert ok and "more than once" in said

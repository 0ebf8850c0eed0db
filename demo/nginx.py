"""nginx with the module: two workers, on the same pool.json as everybody."""

import os
import shutil
import signal
from pathlib import Path

from processes import listening

WORKERS = 2
ROOT = Path(__file__).parents[1]
MODULE = ROOT / "build" / "nginx" / "ngx_http_loadwise_module.so"
PROGRAM = shutil.which("nginx", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin")

# All names are relative to the folder that nginx is started with. The upstream has the name that a pool has without one.
CONF = """\
load_module {module};
{user}
daemon off;
worker_processes {workers};
pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path temp/client_body;
    proxy_temp_path temp/proxy;
    fastcgi_temp_path temp/fastcgi;
    uwsgi_temp_path temp/uwsgi;
    scgi_temp_path temp/scgi;
    upstream default {{
        loadwise;
        loadwise_config pool.json;
        {servers}
        keepalive 64;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        keepalive_requests 1000000;
        location / {{
            proxy_pass http://default;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            add_header X-Attempts $loadwise_attempts always;
        }}
    }}
}}
"""


def missing():
    """What nginx cannot be shown without; None if all is there."""
    if PROGRAM and MODULE.exists():
        return None
    return "without nginx, which needs: apt-get install nginx nginx-dev"


async def start(processes, folder, port, servers):
    """Starts the master; it ends as all other processes do, and its workers with it."""
    (folder / "temp").mkdir(exist_ok=True)
    text = CONF.format(
        module=os.path.relpath(MODULE, folder),
        user="user root;" if os.geteuid() == 0 else "",
        workers=WORKERS,
        servers=" ".join(f"server 127.0.0.1:{server.port};" for server in servers),
        port=port,
    )
    (folder / "nginx.conf").write_text(text)
    log = folder / "logs" / "nginx-error.log"
    command = [PROGRAM, "-p", f"{folder}/", "-c", "nginx.conf", "-e", log]
    # A master that is killed leaves its workers.
    process = await processes.start("nginx", *command, parent_signal="TERM")
    await listening(port, process, "nginx")
    return process


def workers(master, look):
    """The ids of its workers, as far as they share the state."""
    return {process["pid"] for process in look["processes"] if process["alive"] and parent(process["pid"]) == master.pid}


def kill_busiest(master, look):
    """Kills a worker, which has no chance to give back what it has in flight; its id."""
    in_flight = {process["pid"]: process["in_flight"] for process in look["processes"]}
    busiest = max(workers(master, look), key=in_flight.get)
    os.kill(busiest, signal.SIGKILL)
    return busiest


def parent(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name of the command may have spaces and parentheses.
    return int(stat.rpartition(")")[2].split()[1])

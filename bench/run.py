#!/usr/bin/env python3
"""What sundynix costs, beside the same backend directly and through nginx.

Builds the server and the two tools, then for each round and each way to the mock upstream: starts the
mock on core 1 and the server under test on core 0, runs the workloads from core 1, ends what it
started. Everything is on loopback. Medians over the rounds go to RESULTS.md.
"""

import argparse
import http.client
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

import report

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TOOLS = HERE / "target/release"
USERS = 1_000
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]

WORKLOADS = {
    f"{letter}{n}": {"mode": mode, "model": model, "connections": n, "ramp": 2000, "warmup": 0.7, "window": 2}
    for letter, mode, model in (("a", "chat", "mock-t16-p0"), ("b", "stream", "mock-t100-p0"))
    for n in (1, 32, 256)
}
# The first token alone, with nobody else on the mock's core when it comes.
WORKLOADS["d1"] = {"mode": "stream", "model": "mock-t2-p1", "connections": 1, "ramp": 2000, "warmup": 0.5, "window": 2}
WORKLOADS["c"] = {"mode": "stream", "model": "mock-t100-p20", "connections": 500, "ramp": 250, "warmup": 1, "window": 4}
HOLD = {"mode": "hold", "model": "mock-t1000000-p1000", "warmup": 2, "window": 5}
WORKLOADS["hold1k"] = HOLD | {"connections": 1_000, "ramp": 200}
WORKLOADS["hold5k"] = HOLD | {"connections": 5_000, "ramp": 600}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Process:
    """A process of ours on one core, ended by its own pid."""

    def __init__(self, command, core, folder):
        self.log = open(folder / "log", "ab")
        pin = lambda: os.sched_setaffinity(0, {core})
        self.process = subprocess.Popen(command, cwd=folder, stdout=self.log, stderr=self.log, preexec_fn=pin)
        self.pid = self.process.pid

    def pids(self):
        """Its own and its children's (nginx works in a child)."""
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [self.pid, *map(int, children.split())]

    def wait_ready(self, port, path):
        for _ in range(400):
            if self.process.poll() is not None:
                break
            try:
                if fetch(port, "GET", path)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        sys.exit(f"{self.process.args[0]} did not come up; its log is {self.log.name}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.log.close()
        return code


def fetch(port, method, path, body=None, headers={}):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Direct:
    """The backend itself; the process under test is the mock."""

    job = {"users": 0, "headers": [], "grows": False}
    loads = [w for w in WORKLOADS if not w.startswith("hold")]

    def start(self, mock, mock_port, folder):
        return mock, mock_port

    def stop(self, server, answered):
        pass


class Nginx(Direct):
    loads = list(WORKLOADS)

    def start(self, mock, mock_port, folder):
        port = free_port()
        config = (HERE / "nginx.conf").read_text()
        config = config.replace("@LISTEN@", f"127.0.0.1:{port}").replace("@MOCK@", f"127.0.0.1:{mock_port}")
        (folder / "nginx.conf").write_text(config)
        nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        if not nginx:
            sys.exit("no nginx: apt-get install nginx-light")
        server = Process([nginx, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")], SERVER_CORE, folder)
        server.wait_ready(port, "/health")
        return server, port

    def stop(self, server, answered):
        server.stop()


class Sundynix(Direct):
    """Memory on and durable: 1,000 users, each with a profile, no two turns alike."""

    job = {"users": USERS, "headers": [], "grows": True}
    loads = list(WORKLOADS)

    def start(self, mock, mock_port, folder):
        port, self.data = free_port(), folder / "data"
        settings = ["server.workers=1", "limits.max_inflight=20000", "telemetry.log=warn"]
        command = [os.environ.get("SUNDYNIX", ROOT / "target/release/sundynix"), "serve", "--data", self.data]
        command += ["--bind", f"127.0.0.1:{port}", "--backend", f"http://127.0.0.1:{mock_port}/v1"]
        command += [part for setting in settings for part in ("--set", setting)]
        server = Process(command, SERVER_CORE, folder)
        server.wait_ready(port, "/readyz")
        self.teach(port)
        return server, port

    def teach(self, port):
        profile = json.dumps({"preferences": {"general": {"language": "English", "tone": "concise", "city": "Lisbon"}}})
        for user in range(USERS):
            headers = {"X-User-ID": f"bench-{user:08}", "Content-Type": "application/json"}
            status, said = fetch(port, "PUT", "/api/v1/memory", profile, headers)
            if status != 200:
                sys.exit(f"PUT /api/v1/memory: {status} {said[:300]}")

    def stop(self, server, answered):
        code = server.stop()
        if code != 0:
            sys.exit(f"sundynix ended with {code}; its log is {server.log.name}")
        if self.job["grows"]:
            (file,) = self.data.glob("*.db")
            (kept,) = sqlite3.connect(file).execute("SELECT count(*) FROM sundynix_turn").fetchone()
            if kept < answered:
                sys.exit(f"{answered} answers were acknowledged and {kept} turns are kept")


class SundynixOff(Sundynix):
    """The same server, told by each request to leave memory alone."""

    job = {"users": USERS, "headers": ["X-Sundynix-Memory: off"], "grows": False}
    loads = [w for w in WORKLOADS if w != "hold5k"]


PEERS = {"direct": Direct(), "nginx": Nginx(), "sundynix, memory off": SundynixOff(), "sundynix": Sundynix()}


def load(workload, peer, server, port):
    """One run of the load generator; what it measured."""
    serial = list(WORKLOADS).index(workload) * 9_000_000
    job = WORKLOADS[workload] | peer.job | {"address": f"127.0.0.1:{port}", "pids": server.pids(), "serial": serial}
    pin = lambda: os.sched_setaffinity(0, {LOAD_CORE})
    done = subprocess.run([TOOLS / "load", json.dumps(job)], capture_output=True, text=True, timeout=180, preexec_fn=pin)
    if done.returncode != 0:
        sys.exit(f"load: {done.stderr}")
    return json.loads(done.stdout)


def measure(name, workloads, folder):
    """All these workloads against one fresh server; yields a row each."""
    peer, port = PEERS[name], free_port()
    (folder / "mock").mkdir(parents=True)
    mock = Process([TOOLS / "mock-upstream", str(port)], LOAD_CORE, folder / "mock")
    server = None
    answered = 0
    try:
        mock.wait_ready(port, "/health")
        server, at = peer.start(mock, port, folder)
        for workload in workloads:
            row = {"peer": name, "workload": workload} | load(workload, peer, server, at)
            if not workload.startswith("hold"):
                answered += row["answered"]
            yield row
    finally:
        if server not in (None, mock):
            peer.stop(server, answered)
        mock.stop()


def run(peers, workloads, rounds, folder):
    rows = []
    for number in range(rounds):
        for name in peers:
            wanted = [w for w in workloads if w in PEERS[name].loads]
            short = [w for w in wanted if not w.startswith("hold")]
            # Open streams need a server that no other load has fattened, and one round.
            alone = [[w] for w in wanted if w.startswith("hold") and number == 0]
            for group in [short] * bool(short) + alone:
                for row in measure(name, group, folder / f"{number}-{name.replace(', ', '-').replace(' ', '-')}-{group[0]}"):
                    rows.append(row | {"round": number})
                    print(report.line(rows[-1]), flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default=";".join(PEERS), help="separated by ';'")
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "RESULTS.md")
    args = parser.parse_args()
    peers, workloads = args.peers.split(";"), args.workloads.split(",")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < 11_000:
        workloads = [w for w in workloads if w != "hold5k"]
    build = ["cargo", "build", "--release", "--locked"]
    subprocess.run(build, cwd=HERE, check=True)
    if any(p.startswith("sundynix") for p in peers) and "SUNDYNIX" not in os.environ:
        subprocess.run(build + ["--bin", "sundynix"], cwd=ROOT, check=True)
    busy = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(dir=HERE / "target", prefix="run-") as folder:
        rows = run(peers, workloads, args.rounds, pathlib.Path(folder))
    busy.append(os.getloadavg()[0])
    args.out.write_text(report.page(rows, busy))
    errors = sum(row["errors"] for row in rows)
    print(f"{args.out}: {errors} errors")
    return errors > 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What it costs to meet a user who is not in memory: reading their turns and indexing them.

Imports a thousand memories for each of a few users, the user's and the assistant's in turns, in
sentences that no two share, starts the server anew, and asks for each user once (cold) and again
(warm). Printed are the medians of the time an
answer took and of the CPU that the server spent on it; PostgreSQL's own CPU is not counted.

    python3 bench/cold.py                       # a SQLite file
    python3 bench/cold.py --store postgres://…  # an empty database
"""

import argparse
import itertools
import json
import os
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

from run import HERE, ROOT, SERVER_CORE, Process, fetch, free_port

ENGLISH = """I went camping with my neighbor last weekend and the puppy loved it so we plan another trip to the
lake in June after my interview at the museum where they paint and restore old pianos for the town library""".split()
CHINESE = "上个周末我和同事去了郊外的湖边露营小狗玩得特别开心我们打算六月再去一次不过要等我在博物馆的面试结束那里修复旧钢琴"


def sentence(number, chance):
    """Some thirty words, every other one in Chinese."""
    if number % 2:
        return "".join(CHINESE[at : at + 2] for at in (chance.randrange(len(CHINESE) - 2) for _ in range(20)))
    words = (chance.choice(ENGLISH) if chance.random() < 0.8 else f"name{chance.randrange(5000)}" for _ in range(24))
    return " ".join(words)


class Server:
    def __init__(self, folder, store):
        self.port = free_port()
        settings = ["server.workers=1", "telemetry.log=warn", "simulator.first_token_ms=0", "simulator.token_ms=0"]
        settings += [f"store.url={store}"] * bool(store)
        binary = pathlib.Path(os.environ.get("SUNDYNIX", ROOT / "target/release/sundynix")).resolve()
        command = [binary, "serve", "--data", folder / "data", "--bind", f"127.0.0.1:{self.port}", "--backend", "simulator"]
        command += itertools.chain.from_iterable(("--set", setting) for setting in settings)
        self.process = Process(command, SERVER_CORE, folder)
        self.process.wait_ready(self.port, "/readyz")

    def post(self, path, user, body, **headers):
        headers |= {"X-User-ID": f"cold-{user}", "Content-Type": headers.get("Content-Type", "application/json")}
        status, said = fetch(self.port, "POST", path, body if isinstance(body, str) else json.dumps(body), headers)
        if status != 200:
            raise SystemExit(f"{path}: {status} {said[:300]}")
        return said

    def cpu(self):
        """Milliseconds that all its threads have had of the processor."""
        threads = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6

    def search(self, user):
        time.sleep(0.05)
        cpu, start = self.cpu(), time.perf_counter()
        found = json.loads(self.post("/api/v1/memory/search", user, {"query": "When did I go camping at the lake?"}))
        took = (time.perf_counter() - start) * 1e3
        if not found["hits"]:
            raise SystemExit("nothing was found")
        return took, self.cpu() - cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default="", help="a PostgreSQL URL")
    parser.add_argument("--users", type=int, default=7)
    parser.add_argument("--memories", type=int, default=1_000)
    args = parser.parse_args()
    if "SUNDYNIX" not in os.environ:
        subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "sundynix"], cwd=ROOT, check=True)
    chance = random.Random(1)
    (HERE / "target").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HERE / "target", prefix="cold-") as folder:
        folder = pathlib.Path(folder)
        server = Server(folder, args.store)
        for user in range(args.users):
            items = (
                {
                    "id": f"i{number}",
                    "ts": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60 * (args.memories - number))),
                    "session": f"c{number // 20}",
                    "role": ("user", "assistant")[number % 2],
                    "text": sentence(chance.randrange(2), chance),
                }
                for number in range(args.memories)
            )
            lines = "\n".join(json.dumps(item) for item in items)
            server.post("/api/v1/memory/turns", user, lines, **{"Content-Type": "application/x-ndjson"})
        server.process.stop()
        server = Server(folder, args.store)
        # Whoever comes first also opens connections.
        server.post("/api/v1/memory/search", "nobody", {"query": "camping"})
        cold = [server.search(user) for user in range(args.users)]
        warm = [server.search(user) for user in range(args.users)]
        server.process.stop()
    print(f"{args.memories} memories, {'PostgreSQL' if args.store else 'SQLite'}, load {os.getloadavg()[0]:.1f}")
    print("| | time | CPU |\n|---|--:|--:|")
    for name, rows in ("cold", cold), ("warm", warm):
        took, cpu = (statistics.median(column) for column in zip(*rows))
        print(f"| {name} | {took:.1f} ms | {cpu:.1f} ms |")


if __name__ == "__main__":
    main()

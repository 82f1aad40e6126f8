"""Rows of measurements as a page of tables: medians over the rounds."""

import pathlib
import statistics
import subprocess

INTRO = """# What sundynix costs

The same requests to the same mock backend: directly, through nginx (one worker, nothing buffered) and through
sundynix (one worker), with memory off and on. With memory on there are 1,000 users, each with a profile that goes
into every prompt, no two turns are alike, and each turn is durable (SQLite) before the client sees the end.

    make bench

{about}
"""

READING = """## How to read it

* CPU is the user and system time of all threads of the server under test between the edges of a window, divided by
  what was answered in it. It holds the kernel's work in the server's name; on loopback a send pays for the
  receiver's half too. For `direct` it is the mock's own. Trust this figure first: a quiet machine repeats it within
  10 %, one that others keep busy within 20 % (cold caches make it higher, tokens that come in bunches lower).
* The server has core 0 for itself; the mock and the load generator share core 1. Latencies are therefore those of two
  cores, and good only for comparison within a table: read the `+` columns. On a busy machine they are the scheduler's.
* Non-stream answers have 16 tokens, streams 100, each token a write of its own of about 250 bytes. A request is about
  0.5 KB. "Together" is how many requests are under way at once, each on its own connection. Streams are without a
  pause but where it says 20 ms.
* Every answer is checked in full: status, text, token count, usage, `[DONE]` and nothing after it; and that the prompt
  grew where memory is on and did not where it is off. With memory on the turns in the database are counted after the
  server has ended: none that was acknowledged may be missing.
* At 20 ms a token a wake-up and two system calls make up nearly all of the cost; without a pause several tokens share
  them.
* Memory of an open stream is the growth of the resident set, over the number of streams. The kernel's socket buffers
  are not in it.

## Not measured

TLS, HTTP/2, more than one worker, PostgreSQL, long prompts and tool calls, a network between the parts, clients that
hang up, a real engine (which takes about a thousand times as long), hours of running.
"""


def number(value, digits=1):
    return "–" if value is None else f"{value:,.{digits}f}"


def line(row):
    """A row on one line, while the run goes on."""
    parts = [f"{row['peer']:<20} {row['workload']:<7}"]
    parts += [f"{key} {number(row[key], 2)}" for key in ("us_per_request", "us_per_token", "answers_per_s", "cores")]
    for key in ("latency_us", "first_token_us", "gap_us"):
        parts.append(f"{key} {row[key]['p50']}/{row[key]['p99']}")
    if row["workload"].startswith("hold"):
        parts.append(f"KiB/stream {number(row['kib_per_stream'])}")
    parts.append(f"errors {row['errors']} {row['first_error'] or ''}")
    return " | ".join(parts)


class Rows:
    def __init__(self, rows):
        self.rows = rows
        self.peers = list(dict.fromkeys(row["peer"] for row in rows))

    def values(self, peer, workload, *path):
        """By round."""
        found = {}
        for row in self.rows:
            if (row["peer"], row["workload"]) == (peer, workload):
                value = row
                for key in path:
                    value = value[key]
                if value is not None:
                    found[row["round"]] = value
        return found

    def median(self, *where):
        values = self.values(*where).values()
        return statistics.median(values) if values else None

    def added(self, peer, workload, *path):
        """Over direct, in the same round."""
        ours, base = self.values(peer, workload, *path), self.values("direct", workload, *path)
        both = [ours[r] - base[r] for r in ours if r in base]
        return statistics.median(both) if both else None

    def table(self, heads, cells, peers):
        rows = [f"| {peer} | " + " | ".join(number(f(peer), d) for _, d, f in cells) + " |" for peer in peers]
        head = "| " + " | ".join(["", *heads]) + " |"
        return "\n".join([head, "|---|" + "--:|" * len(heads), *rows]) + "\n"

    def section(self, title, cells, peers=None):
        peers = self.peers if peers is None else peers
        return f"## {title}\n\n" + self.table([head for head, _, _ in cells], cells, peers) if peers else ""


def page(rows, busy):
    r = Rows(rows)
    m, added = r.median, r.added
    cell = lambda head, digits, f, *where: (head, digits, lambda peer: f(peer, *where))
    cpu = [cell(f"{n} together", 1, m, f"a{n}", "us_per_request") for n in (1, 32, 256)]
    cpu += [cell("requests/s at 32", 0, m, "a32", "answers_per_s")]
    tokens = [cell(f"{n} together", 2, m, f"b{n}", "us_per_token") for n in (1, 32, 256)]
    tokens += [cell("500 at 20 ms", 2, m, "c", "us_per_token"), cell("tokens/s then", 0, m, "c", "tokens_per_s")]
    whole = [cell("p50", 0, m, "a1", "latency_us", "p50"), cell("+p50", 0, added, "a1", "latency_us", "p50")]
    whole += [cell("p99", 0, m, "a1", "latency_us", "p99"), cell("+p99", 0, added, "a1", "latency_us", "p99")]
    whole += [cell(f"{n} together: p50", 0, m, f"a{n}", "latency_us", "p50") for n in (32, 256)]
    first = [
        cell(f"{name}: {head}", 0, f, workload, "first_token_us", p)
        for name, workload in (("alone", "d1"), ("500 at 20 ms", "c"))
        for head, f, p in (("p50", m, "p50"), ("+p50", added, "p50"), ("p99", m, "p99"), ("+p99", added, "p99"))
    ]
    first += [cell("gap p99", 0, m, "c", "gap_us", "p99")]
    parts = [
        INTRO.format(about=about(rows, busy)),
        r.section("CPU of a request, not streamed (µs)", cpu),
        r.section("CPU of a streamed token (µs)", tokens),
        r.section("Latency of a request, not streamed (µs)", whole),
        r.section("Time to the first token (µs)", first),
    ]
    for workload, count in (("hold1k", "1,000"), ("hold5k", "5,000")):
        held = [
            cell("open", 0, m, workload, "open"),
            cell("idle MiB", 1, lambda *a: (m(*a) or 0) / 1024, workload, "rss_idle_kib"),
            cell("held MiB", 1, lambda *a: (m(*a) or 0) / 1024, workload, "rss_kib"),
            cell("KiB a stream", 1, m, workload, "kib_per_stream"),
            cell("µs a token", 1, m, workload, "us_per_token"),
            cell("first token p99 µs", 0, m, workload, "first_token_us", "p99"),
        ]
        peers = [p for p in r.peers if r.values(p, workload)]
        parts.append(r.section(f"{count} open streams, one token a second each", held, peers))
    return "\n".join([*filter(None, parts), READING])


def about(rows, busy):
    """The machine and the versions, no more of it than the figures need."""
    info = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    models = [l.split(":", 1)[1].strip() for l in info if l.startswith("model name")]
    said = lambda *command: (lambda p: (p.stdout + p.stderr).strip())(
        subprocess.run(command, capture_output=True, text=True, cwd=pathlib.Path(__file__).parent)
    )
    nginx = said("sh", "-c", "PATH=$PATH:/usr/sbin nginx -v").split("/")[-1]
    rounds = max(row["round"] for row in rows) + 1
    # Tokens that were to come 20 ms apart and came together share a wake-up: the figure is too low.
    late = sum(row["workload"] == "c" and row["gap_us"]["p99"] > 30_000 for row in rows)
    errors = sum(row["errors"] for row in rows)
    return "\n".join(
        [
            f"* Machine: {len(models)} cores, {models[0]}. Load average {busy[0]:.1f} before, {busy[1]:.1f} after"
            " (2 would be the benchmark alone).",
            f"* Versions: sundynix {said('git', 'log', '-1', '--format=%h', '--', '../src')}, nginx {nginx}, {said('rustc', '-V')}.",
            f"* {rounds} round{'s'[: rounds > 1]}, medians (open streams: one round). {sum(row['answered'] for row in rows):,} answers"
            f" checked, {errors} errors.",
            *[f"* Disturbed: in {late} runs at 20 ms a token over 1 % of the tokens came 10 ms late or more."] * bool(late),
        ]
    )

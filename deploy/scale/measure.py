#!/usr/bin/env python3
"""What one, two and four replicas cost, each in a network namespace of its own, and what deployments need by that.

    sudo python3 deploy/scale/measure.py --keyward target/release/keyward

Redis runs in a namespace too; replicas and Redis meet on a bridge, so that every call and every read crosses a (virtual) network.
Durable state is one embedded store that the replicas share, unless `--set` names another (`--set store.durable=postgres --set
postgres.url=...`). Load is `keyward probe`, open loop, one a replica. Prints one `name=value` a line; namespaces are removed at
the end. Processors are shared with the load generator, so processor time a call is the figure to size by, not calls a second.
"""

import argparse
import hashlib
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import time

BRIDGE, NETWORK = "kwscale", "10.213.77"
TICKS = os.sysconf("SC_CLK_TCK")


def sh(*argv):
    """Runs a command that must succeed."""
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True).stdout


class Network:
    """A bridge in a namespace of its own, and namespaces on it."""

    def __init__(self):
        self.names = [f"{BRIDGE}-hub"]
        sh("ip", "netns", "add", self.names[0])
        self.at(0, "ip", "link", "add", BRIDGE, "type", "bridge")
        self.at(0, "ip", "link", "set", BRIDGE, "up")

    def at(self, number, *argv):
        """Runs a command in a namespace."""
        return sh("ip", "netns", "exec", self.names[number], *argv)

    def host(self):
        """Makes a namespace; its number and address."""
        number = len(self.names)
        name, link, address = f"{BRIDGE}-{number}", f"{BRIDGE}{number}", f"{NETWORK}.{number}"
        sh("ip", "netns", "add", name)
        self.names.append(name)
        sh("ip", "link", "add", link, "netns", self.names[0], "type", "veth", "peer", "name", "eth0", "netns", name)
        self.at(0, "ip", "link", "set", link, "master", BRIDGE, "up")
        self.at(number, "ip", "address", "add", f"{address}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            self.at(number, "ip", "link", "set", device, "up")
        return number, address

    def start(self, number, argv, log):
        """Starts a program in a namespace; its process is the program's own."""
        argv = ["ip", "netns", "exec", self.names[number], *map(str, argv)]
        return subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT, text=True)

    def remove(self):
        """Removes everything."""
        for name in reversed(self.names):
            subprocess.run(["ip", "netns", "del", name], check=False)


def cpu_s(pid):
    """Processor time of a process so far, in seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss(pid):
    """Resident memory of a process, in bytes."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def redis_info(net, number, address):
    """Commands for keyward so far, and memory in use."""
    text = net.at(number, "redis-cli", "-h", address, "info", "all")
    facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    ours = [v for k, v in facts.items() if k.startswith("cmdstat_") and k.split("_")[1] not in ("ping", "info", "client", "hello")]
    calls = sum(int(v.split("calls=")[1].split(",")[0]) for v in ours)
    cpu = float(facts["used_cpu_user"]) + float(facts["used_cpu_sys"])
    return calls, int(facts["used_memory"]), cpu


def log_bytes(path):
    """The pages of the embedded log, whether they are in its file already or not; 0 where the log lies elsewhere."""
    if not path.exists():
        return 0
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as log:
        return log.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]


def figures(text):
    """What `keyward probe` printed."""
    return {k: int(v) for k, v in (line.split("=") for line in text.splitlines() if line and line[0] != "#")}


def run(args, count):
    """Measures so many replicas."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="keyward-scale-"))
    net, running = Network(), []
    try:
        store, store_at = net.host()
        log = (folder / "log").open("w")
        redis = net.start(store, ["redis-server", "--bind", store_at, "--save", "", "--protected-mode", "no", "--dir", folder], log)
        running.append(redis)
        (folder / "token").write_text("scale")
        (folder / "token.sha256").write_text(hashlib.sha256(b"scale").hexdigest())
        config = folder / "keyward.toml"
        config.write_text(
            f'[[callers]]\nid = "scale"\ntenants = ["*"]\ntoken_sha256_file = "{folder}/token.sha256"\n'
            '[server]\nlisten = "0.0.0.0:50051"\nallow_plaintext_beyond_loopback = true\n[http]\nenabled = false\n'
            f'[limits]\ncaller_calls_per_second = 0\n[store]\ndata_dir = "{folder}/data"\nhot = "redis"\n'
            f'[redis]\nurl = "redis://{store_at}:6379/"\nresponse_timeout_ms = 2000\n'
        )
        more = [word for setting in args.set for word in ("--set", setting)]
        servers, hosts = [], []
        for _ in range(count):
            number, address = net.host()
            argv = [args.keyward, "serve", "--config", config, *more]
            probe = [args.keyward, "probe", "--url", f"http://{address}:50051", "--token-file", folder / "token"]
            deadline = time.monotonic() + 30
            server = net.start(number, argv, log)
            while subprocess.run(["ip", "netns", "exec", net.names[number], *map(str, probe)], capture_output=True).returncode:
                assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.1)
            servers.append(server)
            hosts.append((number, probe))
            running.append(server)
        before = [cpu_s(s.pid) for s in servers], redis_info(net, store, store_at)
        size = log_bytes(folder / "data/audit.db")
        started = time.monotonic()
        load = ["--seconds", args.seconds, "--rate", args.rate, "--connections", 4]
        probes = [net.start(n, [*probe, *load], subprocess.PIPE) for n, probe in hosts]
        told = [figures(p.communicate()[0]) for p in probes]
        took = time.monotonic() - started
        after = [cpu_s(s.pid) for s in servers], redis_info(net, store, store_at)
        grown = log_bytes(folder / "data/audit.db") - size
        calls = sum(t["allowed"] for t in told)
        bad = sum(t["failed"] + t["other"] for t in told)
        cpu = sum(b - a for a, b in zip(before[0], after[0], strict=True))
        out = {
            "calls_per_s": round(calls / took),
            "not_allowed": bad,
            "p99_us": max(t["p99_us"] for t in told),
            "cpu_us_a_call": round(cpu / max(calls, 1) * 1e6),
            "redis_commands_a_call": round((after[1][0] - before[1][0]) / max(calls, 1), 2),
            "redis_cpu_us_a_call": round((after[1][2] - before[1][2]) / max(calls, 1) * 1e6),
            "redis_bytes_a_session": round((after[1][1] - before[1][1]) / max(calls, 1)),
            "audit_bytes_a_record": round(grown / max(calls, 1)),
            "rss_mb_a_replica": round(max(rss(s.pid) for s in servers) / 1e6),
        }
        for name, value in out.items():
            print(f"replicas{count}_{name}={value}", flush=True)
        return out
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(30)
        net.remove()


def table(one, args):
    """What deployments need, by what one replica costs."""
    print("\n| subjects | calls a second, peak | CPUs for keyward | replicas of 2 CPUs | Redis memory | audit records a year |")
    print("|---|---|---|---|---|---|")
    for subjects in (10_000, 1_000_000, 50_000_000):
        peak = subjects * args.active * args.calls_a_day / 86_400 * args.peak
        cpus = peak * one["cpu_us_a_call"] / 1e6 / args.utilisation
        redis = subjects * args.active * args.sessions * one["redis_bytes_a_session"]
        audit = subjects * args.active * args.calls_a_day * 365 * one["audit_bytes_a_record"]
        print(f"| {subjects:,} | {peak:,.0f} | {cpus:,.1f} | {max(2, round(cpus / 2 + 0.5)):,} | {redis / 1e9:,.2f} GB | {audit / 1e12:,.2f} TB |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keyward", default="target/release/keyward", type=lambda p: str(pathlib.Path(p).resolve()))
    parser.add_argument("--replicas", default="1,2,4")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=200, help="calls a second for each replica")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--active", type=float, default=0.3, help="share of the subjects that work on a day")
    parser.add_argument("--calls-a-day", type=float, default=60, help="decisions for each of them")
    parser.add_argument("--peak", type=float, default=5, help="the busiest second over the mean")
    parser.add_argument("--sessions", type=float, default=6, help="sessions, replies and nonces of each that Redis holds at once")
    parser.add_argument("--utilisation", type=float, default=0.5, help="share of the processors to plan for")
    args = parser.parse_args()
    print(f"# {args.rate:g} calls a second and replica for {args.seconds:g} s; load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    measured = [run(args, int(count)) for count in args.replicas.split(",")]
    table(measured[0], args)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""
mutate.py [-n N] [--seed SEED] [--list] [--fast] [FILE…]

Do the tests notice?  Breaks the code in N places (100), one at a time, in a copy of the
work tree: a sign, a bound, an inverted condition, plus or minus one, a call left out (a
poll, a lock, a free, anything).  Builds, runs the suites that can catch it, from the
fastest on, until one fails, and prints what none of them caught.

FILEs are sources or folders of them, below src (all).  The same tree, seed and files give
the same mutations; --list prints them only.  --fast: unit tests, and the regress tests that
know the folder, alone.  What does not compile, or compiles to the same object, is left out and another
place taken.
"""
import argparse
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]

# Which TAP tests know a folder of src/pg, the fastest first
TAP = [
    ("src/pg/stream/worker", ["021_stream_leaders", "015_stream_sql", "016_stream_turns", "011_stream", "012_stream_faults"]),
    ("src/pg/stream/write", ["015_stream_sql", "016_stream_turns"]),
    ("src/pg/stream", ["014_stream_secrets", "015_stream_sql", "004_dump"]),
    ("src/pg/host", ["015_stream_sql", "011_stream", "016_stream_turns"]),
    ("src/pg/model", ["003_crash", "009_model_bytes", "005_replica", "006_concurrency", "004_dump"]),
    ("src/pg/train", ["001_preload", "008_quality", "007_memory", "002_cancel"]),
    ("src/pg/serve", ["005_replica", "006_concurrency"]),
    ("src/pg", ["001_preload", "010_functions"]),
]

# And which regress tests, for --fast; all for a folder that is not here
REGRESS = [
    ("src/pg/stream", "streams stream_options stream_writer stream_collation"),
    ("src/pg/host", "streams"),
    ("src/pg/encode", "encoding encoding_reference clean mlp"),
    ("src/pg/model", "registry alter_model model_type rights security recommend"),
    ("src/pg/train", "aggregates train_errors registry mlp rights"),
    ("src/pg/serve", "recommend recommend_errors similar_items ties metrics mlp"),
    ("src/core/encoding", "encoding"),
    ("src/core", "aggregates recommend mlp model_type"),
]

OTHER = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&", "+": "-", "-": "+",
         "+=": "-=", "-=": "+=", "*": "/", "true": "false", "false": "true", "break": "continue", "continue": "break"}
SWAPS = [
    ("sign", r"(?<=[\w)\]] )([+*-])(?= [\w(])|([+-]=)"),
    ("bound", r"(?<= )(<=?|>=?)(?= )"),
    ("condition", r"(?<= )(==|!=|&&|\|\|)(?= )"),
    ("answer", r"\b(true|false)\b|\b(break|continue)(?=;)"),
]
CALL = re.compile(r"^\t+(?:\(void\) )?([A-Za-z_]\w*)\(.*\);$")
IF = re.compile(r"^(\t+(?:else )?(?:if|while) \()(.*)(\)(?: \{)?)$")
NUMBER = re.compile(r"(?<![\w.\"'])(\d+)(?![\w.\"'])")
KEPT = re.compile(r"^(errmsg|errdetail|errhint|errcode|Assert|elog|StaticAssert|memset)")


def plain(line):
    """The line with comments, strings and characters blanked out, at the same places."""
    blank = lambda m: " " * len(m.group())
    return re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|/\*.*?\*/|/\*.*$|^\s*\*.*$', blank, line)


def balanced(text):
    depth = 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if depth < 0:
            return False
    return depth == 0


def places(path):
    """Every mutation of a file: (kind, line number, new line)."""
    found = []
    for number, line in enumerate(path.read_text().splitlines()):
        code = plain(line)
        # Inside of functions only, and not where words for people are made
        if not code.startswith("\t") or re.match(r"\s*(?:errmsg|errdetail|errhint|COMMENT|static const|case )", code):
            continue
        for kind, pattern in SWAPS:
            for m in re.finditer(pattern, code):
                old = next(g for g in m.groups() if g)
                found.append((kind, number, line[:m.start()] + OTHER[old] + line[m.end():]))
        for m in NUMBER.finditer(code):
            for step in (1, -1):
                if int(m.group(1)) + step >= 0:
                    found.append(("one off", number, line[:m.start()] + str(int(m.group(1)) + step) + line[m.end():]))
        m = IF.match(code)
        if m and balanced(m.group(2)):
            inside = line[m.start(2):m.end(2)]
            found.append(("inverted", number, f"{line[:m.start(2)]}!({inside}){line[m.end(2):]}"))
        m = CALL.match(code)
        if m and balanced(code) and not KEPT.match(m.group(1)):
            name = m.group(1)
            kind = "free" if re.search(r"free|close|destroy|Delete|stop$", name) \
                else "lock" if re.search(r"(?:^|_)(?:un)?lock(?:_|$)|LWLock|LockRow|LockRel|Acquire|Release|barrier", name) \
                else "poll" if re.search(r"INTERRUPTS|interrupt|cancel|poll|report", name) else "call"
            found.append((kind, number, re.sub(r"\S.*", ";", line)))
    return found


def run(command, cwd, seconds, log=subprocess.DEVNULL):
    """True, False, or None after so many seconds; nothing it started stays."""
    process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                               start_new_session=True)
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        # TERM first: the scripts of the tests take their servers with them
        subprocess.run(["kill", "-TERM", "--", f"-{process.pid}"], stderr=subprocess.DEVNULL)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            subprocess.run(["kill", "-KILL", "--", f"-{process.pid}"], stderr=subprocess.DEVNULL)
            process.wait()
        return None


class Copy:
    def __init__(self, folder, fast):
        self.top = folder
        self.fast = fast
        self.seconds = {}  # how long a suite takes when all is well
        files = subprocess.run(["git", "-C", TOP, "ls-files", "-z"], capture_output=True, check=True).stdout.decode().split("\0")
        for name in filter(None, files):
            if (TOP / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(TOP / name, folder / name)

    def make(self, *targets, seconds=1800):
        with open(self.top / "log", "w") as log:
            return run(["make", "-s", "-j2", *targets], self.top, seconds, log)

    def symbols(self, path, defined):
        out = subprocess.run(["nm", "--defined-only" if defined else "-a", path], capture_output=True, text=True, cwd=self.top).stdout
        return {line.split()[2] for line in out.splitlines() if len(line.split()) == 3 and (not defined or line.split()[1] in "TDBRVWi")}

    def unit_tests(self, source):
        """Unit tests that contain the object of a source of src/core."""
        mine = self.symbols(f"build/asan/{source[4:-2]}.o", True)
        tests = sorted((self.top / "test/unit").glob("test_*.c"))
        return [t.stem for t in tests if not mine or mine & self.symbols(f"build/asan/{t.stem}", False)]

    def suites(self, source):
        """(name, how to build it, how to run it) in the order to try."""
        suites = []
        if source.startswith("src/core/"):
            for test in self.unit_tests(source):
                suites.append((test, [f"build/asan/{test}"], [f"build/asan/{test}"]))
            suites.sort(key=lambda s: self.seconds.get(s[0], 0))
        if source.startswith("src/kafka/"):
            suites.append(("kafka-unit", [], ["make", "-s", "kafka-unit"]))
        tests = next((tests for folder, tests in REGRESS if source.startswith(folder + "/")), "") if self.fast else ""
        suites.append((f"regress {tests}".strip(), ["all"], ["make", "-s", "regress", *([f"REGRESS={tests}"] if tests else [])]))
        if source.startswith("src/pg/") and not self.fast:
            suites.append(("isolation", ["all"], ["make", "-s", "isolation"]))
        if not self.fast:
            names = next((names for folder, names in TAP if source.startswith(folder + "/")), [])
            if source.startswith("src/kafka/"):
                names = ["015_stream_sql", "034_real_consumer"]
            suites += [(name, ["all"], ["make", "-s", "tap", f"PROVE_TESTS=test/t/{name}.pl"]) for name in names]
        return suites

    def check(self, source):
        """Build, and time every suite of this source while nothing is broken."""
        if not self.make("all", *([f"build/asan/{t.stem}" for t in (self.top / "test/unit").glob("test_*.c")]
                                  if source.startswith("src/core/") else [])):
            sys.exit("the copy does not build:\n" + (self.top / "log").read_text())
        for name, _, command in self.suites(source):
            if name not in self.seconds:
                started = time.time()
                with open(self.top / "log", "w") as log:
                    if not run(command, self.top, 1800, log):
                        sys.exit(f"{name} fails without a mutation:\n" + (self.top / "log").read_text())
                self.seconds[name] = time.time() - started

    def compiled(self, source):
        """The code of the source's object, without what names lines."""
        target = "build/code.o"
        (self.top / "build").mkdir(exist_ok=True)
        flags = subprocess.run(["make", "-n", "-B", source[:-2] + ".o"], cwd=self.top, capture_output=True, text=True).stdout
        command = next((l for l in flags.splitlines() if f" -o {source[:-2]}.o" in l), None)
        if command is None:
            sys.exit(f"no command compiles {source}")
        command = re.sub(r"-MMD.*?-MF \S+|-MMD|-MP|(?<=\s)-g(?=\s)", "", command.replace(f"-o {source[:-2]}.o", f"-o {target}"))
        if subprocess.run(["sh", "-c", command + " -g0"], cwd=self.top, stderr=subprocess.DEVNULL).returncode != 0:
            return None
        return (self.top / target).read_bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("files", nargs="*", default=["src"])
    arguments = parser.parse_args()
    sources = sorted({str(p.relative_to(TOP)) for f in arguments.files for p in
                      ([TOP / f] if (TOP / f).is_file() else (TOP / f).rglob("*.c"))})
    by_kind = {}
    for source in sources:
        for kind, number, line in places(TOP / source):
            by_kind.setdefault(kind, []).append((source, number, line))
    dice = random.Random(arguments.seed)
    order = []
    # A kind, then a place of it: rare kinds are not lost among signs
    while len(order) < 4 * arguments.n and any(by_kind.values()):
        kind = dice.choice(sorted(k for k in by_kind if by_kind[k]))
        order.append((kind, *by_kind[kind].pop(dice.randrange(len(by_kind[kind])))))
    print(f"seed {arguments.seed}, {len(sources)} files", flush=True)

    survivors = []
    tried = 0
    with tempfile.TemporaryDirectory(prefix="mutate.") as folder:
        # The suites run as another user when root starts them
        pathlib.Path(folder).chmod(0o755)
        copy = Copy(pathlib.Path(folder), arguments.fast)
        for kind, source, number, line in order:
            if tried == arguments.n:
                break
            path = copy.top / source
            text = path.read_text()
            lines = text.splitlines()
            what = f"{source}:{number + 1}: {kind}: {lines[number].strip()}  →  {line.strip()}"
            if arguments.list:
                tried += 1
                print(what)
                continue
            copy.check(source)
            before = copy.compiled(source)
            lines[number] = line
            path.write_text("\n".join(lines) + "\n")
            after = copy.compiled(source)
            if after is not None and after != before:
                tried += 1
                killer = None
                started = time.time()
                for name, targets, command in copy.suites(source):
                    if targets and not copy.make(*targets):
                        killer = "the build"
                        break
                    ended = run(command, copy.top, 60 + 5 * copy.seconds[name])
                    if not ended:
                        killer = name + (" (hangs)" if ended is None else "")
                        break
                print(f"{tried}. {'caught by ' + killer if killer else 'SURVIVED'} ({time.time() - started:.0f} s): {what}", flush=True)
                if not killer:
                    survivors.append(what)
            path.write_text(text)
    if not arguments.list:
        print(f"\n{tried} mutations, {tried - len(survivors)} caught, {len(survivors)} survived" + (":" if survivors else ""))
        print("\n".join(survivors))


main()

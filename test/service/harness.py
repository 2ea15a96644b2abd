"""Servers, brokers and services of the tests' own, in a directory of their own.

Everything here belongs to one process of tests and ends with it.  The programs of
PostgreSQL are found by PATH; the broker is librdkafka's mock cluster.
"""

import atexit
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = os.environ.get("SERVICE_TOOLS", os.path.join(TOP, "build/service-tools"))  # test/service/tools.sh makes it
SCRATCH = tempfile.mkdtemp(prefix="svc.")
IN_IMAGE = "/usr/local/lib/recsys-service"
_running = []


@atexit.register
def _end():
    for process in reversed(_running):
        process.end()
    shutil.rmtree(SCRATCH, ignore_errors=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, check, seconds=60):
    """Whatever check says that is true, or an error that names what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.02)


class Postgres:
    """A server; primary or, with of=, a hot standby of another."""

    def __init__(self, name, *lines, of=None):
        self.directory = os.path.join(SCRATCH, name)
        self.port = free_port()
        self.log = os.path.join(SCRATCH, name + ".log")
        if of is None:
            self._run("initdb", "-D", self.directory, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
            lines = ("fsync = off", "wal_level = replica", "shared_preload_libraries = 'recsys'", "max_wal_senders = 4",
                     "shared_buffers = 64MB", *lines)
        else:
            self._run("pg_basebackup", "-D", self.directory, "-h", "127.0.0.1", "-p", str(of.port), "-U", "postgres",
                      "-R", "-c", "fast", "--no-sync")
        with open(os.path.join(self.directory, "postgresql.conf"), "a", encoding="utf-8") as conf:
            for line in (*lines, "listen_addresses = '127.0.0.1'", f"unix_socket_directories = '{SCRATCH}'",
                         f"port = {self.port}"):
                conf.write(line + "\n")
        _running.append(self)
        self.start()

    @staticmethod
    def _run(*command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stdout}")

    def start(self):
        with open(self.log + ".ctl", "w", encoding="utf-8") as log:  # a pipe would stay open with the server
            if subprocess.run(["pg_ctl", "-D", self.directory, "-l", self.log, "-w", "-s", "start"],
                              stdout=log, stderr=log).returncode:
                raise AssertionError(open(self.log, encoding="utf-8").read()[-2000:])

    def stop(self, mode="fast"):
        self._run("pg_ctl", "-D", self.directory, "-m", mode, "-w", "-s", "stop")

    def promote(self):
        self._run("pg_ctl", "-D", self.directory, "-w", "-s", "promote")

    def _processes(self):
        with open(os.path.join(self.directory, "postmaster.pid"), encoding="utf-8") as file:
            parent = int(file.readline())
        children = subprocess.run(["pgrep", "-P", str(parent)], stdout=subprocess.PIPE, text=True).stdout.split()
        return [parent, *map(int, children)]

    def freeze(self):
        for pid in self._processes():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in self._processes():
            os.kill(pid, signal.SIGCONT)

    def end(self):
        try:
            self.thaw()
            self.stop("immediate")
        except (OSError, AssertionError, ProcessLookupError):
            pass

    def uri(self, user="shop", database="shop"):
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def sql(self, statements, database="shop", user="shop"):
        done = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", self.uri(user, database)],
                              input=statements, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout.rstrip("\n")


class Broker:
    """librdkafka's mock cluster with one topic."""

    def __init__(self, topic="clicks", partitions=4):
        self.process = subprocess.Popen([os.path.join(TOP, "build/kafka/broker"), "--topic", f"{topic}:{partitions}"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        _running.append(self)
        self.servers = self.process.stdout.readline().split()[1]

    def end(self):
        self.process.kill()
        self.process.wait()


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Document:
    """The service's OpenAPI document, to hold answers against."""

    def __init__(self, document):
        from jsonschema import Draft202012Validator, RefResolver
        self.paths = document["paths"]
        self.checked = 0
        self._resolver = RefResolver.from_schema(document)
        self._validator = Draft202012Validator
        self._patterns = [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) + "$"), path) for path in self.paths]

    def check(self, method, path, answer):
        """An answer that the document does not describe is an error; addresses and methods it lacks are passed."""
        path = path.split("?")[0]
        described = next((known for pattern, known in self._patterns if pattern.match(path)), None)
        operation = self.paths.get(described, {}).get(method.lower())
        if operation is None:
            return
        responses = operation["responses"]
        assert str(answer.status) in responses, f"{method} {described} does not tell of {answer.status}"
        for media, content in responses[str(answer.status)].get("content", {}).items():
            assert answer.headers["content-type"].split(";")[0] == media, (described, answer)
            self._validator(content["schema"], resolver=self._resolver).validate(answer.json)
            self.checked += 1


class Service:
    """The service, with settings by name; starts as its own process and is ready when this returns.

    command: as the image is called; startup and probe: as Kubernetes asks whether it is ready."""

    def __init__(self, ready=True, command=None, startup=None, probe=None, **settings):
        self.port = settings.pop("port", None) or free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RECSYS_")}
        environment["RECSYS_PORT"] = str(self.port)
        for name, value in settings.items():
            if isinstance(value, dict):
                path = os.path.join(SCRATCH, f"{name}.{self.port}.json")
                with open(path, "w", encoding="utf-8") as file:
                    json.dump(value, file)
                value = path
            environment["RECSYS_" + name.upper()] = str(value)
        self.document = None  # with one, every answer is checked against it
        self.log_path = os.path.join(SCRATCH, f"service.{self.port}.log")
        command = command or ["/usr/bin/python3", IN_IMAGE]
        self.process = subprocess.Popen([os.path.join(TOP, "deploy/service") if word == IN_IMAGE else word for word in command],
                                        env=environment,
                                        stdout=subprocess.DEVNULL, stderr=open(self.log_path, "wb"))
        _running.append(self)
        if startup is not None:
            wait_until("the startup probe", lambda: self._is(startup["httpGet"]["path"]),
                       startup["periodSeconds"] * startup["failureThreshold"])
        path = probe["httpGet"]["path"] if probe else "/readyz" if ready else "/healthz"
        wait_until("the service is ready", lambda: self._is(path))

    def _is(self, path):
        if self.process.poll() is not None:
            raise AssertionError(self.log())
        try:
            return self.get(path).status == 200
        except OSError:
            return False

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def request(self, method, path, body=None, headers=None, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            said = Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()
        if self.document is not None:
            self.document.check(method, path, said)
        return said

    def get(self, path, headers=None, **more):
        return self.request("GET", path, None, headers, **more)

    def post(self, path, body, headers=None, **more):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        return self.request("POST", path, body, {"Content-Type": "application/json", **(headers or {})}, **more)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


# A shop of three tastes: users 1 to 60, items 1 to 30, ten a taste
SHOP = """
CREATE TABLE items (item_id bigint PRIMARY KEY, title text NOT NULL, category text NOT NULL, price numeric NOT NULL);
INSERT INTO items SELECT i, 'item ' || i, 'taste ' || i % 3, i FROM generate_series(1, 30) i;
CREATE TABLE users (user_id bigint PRIMARY KEY, age integer NOT NULL, city text NOT NULL);
INSERT INTO users SELECT u, 20 + u, 'city ' || u % 2 FROM generate_series(1, 60) u;
CREATE TABLE events (user_id bigint, item_id bigint, event_type text, ts timestamptz);
INSERT INTO events SELECT u, i, 'view', '2026-01-01'::timestamptz + make_interval(mins => u * 31 + i)
FROM generate_series(1, 60) u, generate_series(1, 30) i WHERE u % 3 = i % 3 AND (u * 7 + i * 5) % 4 <> 0;
CREATE INDEX ON events (user_id, ts DESC);
"""


def open_shop(server, model="shop"):
    server.sql("CREATE ROLE shop LOGIN; CREATE DATABASE shop OWNER shop", database="postgres", user="postgres")
    server.sql("""CREATE EXTENSION recsys; GRANT INSERT ON recsys.stream TO shop;
        GRANT INSERT, UPDATE, DELETE ON recsys.model_registry, recsys.model_version, recsys.model_chunk TO shop""",
               user="postgres")
    server.sql(SHOP + f"""
        SELECT recsys.create_model('{model}', 'events', 'als', '{{"factors": 8}}', time_column => 'ts', items => 'items');
        SELECT recsys.train('{model}');""")


def main(*modules):
    """Run the tests of these modules; the closing line says how many."""
    import unittest
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromName(name) for name in modules)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    bad = len(result.failures) + len(result.errors)
    print(f"service: {result.testsRun - bad - len(result.skipped)} passed, {bad} failed, {len(result.skipped)} skipped")
    return 1 if bad or result.testsRun == 0 else 0

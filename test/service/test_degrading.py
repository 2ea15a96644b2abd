"""Servers stopped, frozen and promoted, brokers gone, too much asked: no wrong answer, no hung
request, and recovery by itself.  The figures are printed."""

import os
import signal
import threading
import time
import unittest

from harness import Broker, Postgres, Service, open_shop, wait_until

PATIENCE = 6  # seconds: pool_wait and connect_timeout of both servers, statement_timeout, and a slow machine


class Load(threading.Thread):
    """Asks for user 7's list again and again, from several threads, and keeps what came."""

    def __init__(self, service, path, right):
        super().__init__(daemon=True)
        self.service = service
        self.path = path
        self.right = right
        self.over = False
        self.seen = []

    def run(self):
        while not self.over:
            started = time.monotonic()
            try:
                answer = self.service.get(self.path, timeout=30)
                kind = "right" if answer.status == 200 and answer.json == self.right else \
                    "retry" if answer.status == 503 and "retry-after" in answer.headers else f"wrong: {answer}"
            except OSError as error:
                kind = f"wrong: {error!r}"
            self.seen.append((started, time.monotonic() - started, kind))
            time.sleep(0.01)


class TestDegrading(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.primary = Postgres("main")
        open_shop(cls.primary)
        cls.settings = {"model": "shop", "statement_timeout": 1, "pool_wait": 0.5, "connect_timeout": 1, "pool_size": 4}

    def under_load(self, service, what, disturb, path="/users/7/recommendations?fresh=true", answers=True):
        right = service.get(path).json
        threads = [Load(service, path, right) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        try:
            disturb()
        finally:
            mended = time.monotonic()
            wait_until("an answer after it", lambda: service.get(path).status == 200, 20)
            recovered = time.monotonic() - mended
            time.sleep(0.5)
            for thread in threads:
                thread.over = True
            for thread in threads:
                thread.join(40)
        seen = [one for thread in threads for one in thread.seen]
        wrong = [kind for _, _, kind in seen if kind not in ("right", "retry")]
        longest = max(seconds for _, seconds, _ in seen)
        print(f"# {what}: {len(seen)} requests, {sum(kind == 'right' for *_, kind in seen)} right, "
              f"{sum(kind == 'retry' for *_, kind in seen)} told to come back, {len(wrong)} wrong, "
              f"longest {longest:.2f} s, well again {recovered:.2f} s after", flush=True)
        self.assertEqual(wrong, [], [line for line in service.log().splitlines() if '"error"' in line][-3:])
        self.assertLess(longest, PATIENCE)
        self.assertTrue(any(kind == "right" for *_, kind in seen[-3:]))
        if answers:
            self.assertTrue(any(kind == "retry" for *_, kind in seen), "the disturbance was not felt")
        return seen

    def test_stopped(self):
        service = Service(database=self.primary.uri(), **self.settings)

        def restart():
            self.primary.stop("immediate")
            answer = service.get("/users/7/recommendations")
            self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "1"), answer)
            self.assertEqual(service.get("/readyz").status, 503)
            self.assertEqual(service.get("/healthz").status, 200)
            time.sleep(1)
            self.primary.start()
        self.under_load(service, "the database stopped for a second", restart)

    def test_frozen(self):
        service = Service(database=self.primary.uri(), **self.settings)

        def freeze():
            self.primary.freeze()
            try:
                time.sleep(3)
            finally:
                self.primary.thaw()
        self.under_load(service, "the database frozen for three seconds", freeze)

    def test_slow(self):
        self.primary.sql("CREATE FUNCTION slow() RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT pg_sleep(30) IS NULL'")
        service = Service(database=self.primary.uri(), filters={"slow": "(SELECT slow())"}, **self.settings)
        started = time.monotonic()
        answer = service.post("/recommend", {"user_id": 7, "filter": {"name": "slow"}})
        self.assertEqual((answer.status, answer.headers.get("retry-after")), (503, "1"), answer)
        self.assertLess(time.monotonic() - started, PATIENCE)
        wait_until("the statement ended in the server, too", lambda: self.primary.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'recsys service' AND state = 'active'",
            user="postgres") == "0", 10)

    def test_out_of_connections(self):
        service = Service(ready=False, database=self.primary.uri(), **self.settings)
        self.primary.sql("CREATE ROLE web LOGIN CONNECTION LIMIT 0; GRANT SELECT ON events, items TO web", user="postgres")
        limited = Service(ready=False, database=self.primary.uri("web"), **self.settings)
        answer = limited.get("/users/7/recommendations")
        self.assertEqual((answer.status, answer.headers.get("retry-after")), (503, "1"), answer)
        self.primary.sql("ALTER ROLE web CONNECTION LIMIT 10", user="postgres")
        self.primary.sql("SELECT recsys.grant_model('shop', 'web')")
        self.assertEqual(limited.get("/users/7/recommendations").status, 200)
        service.end()

    def test_failover(self):
        """Reads from the replica while the primary is away; writes' readers after promotion."""
        primary = Postgres("old")
        open_shop(primary)
        replica = Postgres("standby", of=primary)
        right = wait_until("the replica has the shop", lambda: replica.sql("SELECT count(*) FROM events") ==
                           primary.sql("SELECT count(*) FROM events"))
        self.assertTrue(right)
        service = Service(database=primary.uri(), replica=replica.uri(), **self.settings)
        wait_until("the replica answers", lambda: "replica" in str(service.get("/metrics").body) and
                   service.get("/users/7/recommendations").status == 200)
        seen = self.under_load(service, "the primary gone and the replica promoted", lambda: (
            primary.stop("immediate"), time.sleep(1), replica.promote()), "/users/7/recommendations", answers=False)
        share = sum(kind == "right" for *_, kind in seen) / len(seen)
        self.assertGreater(share, 0.95)
        self.assertEqual(service.get("/users/7/recommendations?fresh=true").status, 200)
        replica.stop("immediate")
        self.assertEqual(service.get("/users/7/recommendations").status, 503)

    def test_model_missing(self):
        self.primary.sql("SELECT recsys.create_model('later', 'events', 'popularity')")
        service = Service(database=self.primary.uri(), **self.settings)
        answer = service.get("/users/7/recommendations?model=later")
        self.assertEqual((answer.status, answer.headers.get("retry-after")), (503, "30"), answer)
        self.primary.sql("SELECT recsys.train('later')")
        self.assertEqual(service.get("/users/7/recommendations?model=later").status, 200)
        self.assertEqual(service.get("/users/7/recommendations?model=never").status, 404)

    def test_retrained_under_load(self):
        service = Service(database=self.primary.uri(), **self.settings)

        def train():
            for _ in range(3):
                self.primary.sql("SELECT recsys.train('shop')")
        self.under_load(service, "trained anew three times", train, answers=False)

    def test_overload(self):
        service = Service(database=self.primary.uri(), max_requests=8, filters={"busy": "(SELECT pg_sleep(0.3)) IS NOT NULL"},
                          **self.settings)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append((time.monotonic(), service.post(
            "/recommend", {"user_id": 7, "filter": {"name": "busy"}}), time.monotonic()))) for _ in range(80)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        took = time.monotonic() - started
        refused = [a for _, a, _ in answers if a.status == 503]
        print(f"# ten times what it takes: {len(answers)} requests, {len(answers) - len(refused)} answered, "
              f"{len(refused)} told to come back, {took:.2f} s in all", flush=True)
        self.assertEqual(len(answers), 80)
        self.assertEqual({a.status for _, a, _ in answers}, {200, 503})
        self.assertTrue(all(a.headers["retry-after"] == "1" for a in refused))
        self.assertLess(took, 15)
        self.assertEqual(service.get("/users/7/recommendations").status, 200)

    def test_broker_down(self):
        broker = Broker()
        service = Service(database=self.primary.uri(), brokers=broker.servers, topic="clicks", delivery_timeout=2, **self.settings)
        event = {"user_id": 1, "item_id": 2}
        self.assertEqual(service.post("/events", event).status, 202)
        os.kill(broker.process.pid, signal.SIGSTOP)
        started = time.monotonic()
        answer = service.post("/events", [event] * 3)
        self.assertEqual((answer.status, answer.headers.get("retry-after")), (503, "1"), answer)
        self.assertEqual([e["at"] for e in answer.json["errors"]], [["body", 0], ["body", 1], ["body", 2]])
        self.assertLess(time.monotonic() - started, 2 + PATIENCE)
        self.assertEqual(service.get("/users/7/recommendations").status, 200)  # lists need no broker
        os.kill(broker.process.pid, signal.SIGCONT)
        wait_until("events are taken again", lambda: service.post("/events", event).status == 202, 30)

    def test_graceful_stop(self):
        service = Service(database=self.primary.uri(), filters={"slow": "(SELECT pg_sleep(0.8)) IS NOT NULL"}, **self.settings)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(service.post(
            "/recommend", {"user_id": 7, "filter": {"name": "slow"}})))
        thread.start()
        time.sleep(0.3)
        self.assertEqual(service.stop(), 0)
        thread.join(10)
        self.assertEqual([a.status for a in answers], [200])

    def test_settings(self):
        import subprocess
        from harness import TOP
        command = ["/usr/bin/python3", os.path.join(TOP, "deploy/service")]
        said = subprocess.run([*command, "--help"], capture_output=True, text=True)
        self.assertEqual(said.returncode, 0)
        for name in ("RECSYS_DATABASE", "RECSYS_REPLICA", "RECSYS_FILTERS", "RECSYS_TOKENS", "RECSYS_BROKERS"):
            self.assertIn(name, said.stdout)
        for name, value in (("RECSYS_PORT", "http"), ("RECSYS_NOSUCH", "1"), ("RECSYS_FILTERS", "/nosuch"), ("RECSYS_MAX_BODY", "1G")):
            said = subprocess.run(command, capture_output=True, text=True, env={**os.environ, name: value})
            self.assertNotEqual(said.returncode, 0)
            self.assertRegex(said.stderr, rf"^(unknown setting )?{name}")
            self.assertEqual(said.stderr.count("\n"), 1)

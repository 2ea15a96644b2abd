"""What the service answers, to good questions and to bad ones."""

import http.client
import json
import re
import socket
import time
import unittest

from harness import Broker, Document, Postgres, Service, open_shop, wait_until

FILTERS = {"cheap": "price < $1", "of": "category = $1 AND title <> 'costs $1'"}
TOKENS = {"token-of-anna-0123456789": "anna", "token-of-bert-0123456789": "bert"}


class TestService(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Postgres("primary")
        open_shop(cls.server)
        cls.broker = Broker()
        cls.server.sql(f"""SELECT recsys.create_stream('clicks', '{cls.broker.servers}', 'clicks', 'events',
            mapping => '{{"user_id": "user_id", "item_id": "item_id", "event_type": "event_type", "ts": "ts"}}',
            options => '{{"kafka": {{"fetch.wait.max.ms": 5}}}}')""")
        cls.service = Service(database=cls.server.uri(), filters=FILTERS, brokers=cls.broker.servers, topic="clicks",
                              max_body="64k", body_timeout=2, model="shop")
        cls.service.document = Document(cls.service.get("/openapi.json").json)

    @classmethod
    def tearDownClass(cls):
        print(f"# {cls.service.document.checked} answers are as the OpenAPI document says", flush=True)
        assert cls.service.document.checked > 0

    def rows(self, sql):
        return [line.split("|") for line in self.server.sql(sql).split("\n") if line]

    def problem(self, answer, status):
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        body = answer.json
        self.assertEqual(body["status"], status)
        self.assertEqual(body["request_id"], answer.headers["x-request-id"])
        self.assertNotRegex(answer.body.decode(), r"(?i)select |traceback|\.py|recsys\.")
        return body

    # --- good questions ---

    def test_as_the_old_clients_ask(self):
        self.server.sql("""CREATE TABLE IF NOT EXISTS seen_by AS SELECT user_id, item_id FROM events;
            SELECT recsys.create_model('ages', 'seen_by', 'mlp', '{"hidden": [8], "epochs": 2}', users => 'users',
                features => '{"age": {"scale": "standard"}}');
            SELECT recsys.train('ages')""") if not self.rows("SELECT 1 FROM recsys.models WHERE model = 'ages'") else None
        answer = self.service.post("/recommend", {"user_features": {"age": 33}, "model": "ages"})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(list(answer.json), ["recommendations"])
        self.assertEqual(len(answer.json["recommendations"]), 10)
        self.assertEqual([str(i) for i in answer.json["recommendations"]], [r[0] for r in self.rows(
            "SELECT item_id FROM recsys.recommend_for_features('{\"age\": 33}'::jsonb, 10, 'ages') ORDER BY rank")])
        features = [float(x) for x in self.rows("""SELECT array_to_string(recsys.encode(encoder, u), '|') FROM users u,
            (SELECT recsys.fit_encoder(u, '{"age": {"scale": "standard"}}') AS encoder FROM users u) e
            WHERE age = 33""")[0]]
        self.assertEqual(self.service.post("/recommend", {"user_features": features, "model": "ages"}).json, answer.json)

    def test_a_user(self):
        expected = self.rows("SELECT item_id, score, rank, source, version FROM recsys.recommend(7::bigint, 5, 'shop')")
        answer = self.service.post("/recommend", {"user_id": 7, "k": 5, "details": True}).json
        self.assertEqual([[str(r["item_id"]), r["rank"], r["source"], r["version"]] for r in answer["rows"]],
                         [[i, int(rank), source, int(version)] for i, _, rank, source, version in expected])
        for row, (_, score, *_) in zip(answer["rows"], expected):
            self.assertEqual(row["score"] is None, score == "")
            if score:
                self.assertAlmostEqual(row["score"], float(score), 5)
        self.assertEqual(answer["recommendations"], [int(r[0]) for r in expected])
        self.assertRegex(answer["list_id"], r"^[0-9a-f]{16}$")
        self.assertEqual(self.service.get("/users/7/recommendations?k=5&details=true").json["rows"], answer["rows"])
        self.assertEqual(self.service.post("/recommend", {"user_id": "7", "k": 5}).json["recommendations"],
                         answer["recommendations"])

    def test_a_cart(self):
        expected = [int(r[0]) for r in self.rows("SELECT item_id FROM recsys.recommend_for_items('{1,4}'::bigint[], 6, 'shop') ORDER BY rank")]
        self.assertEqual(self.service.post("/recommend", {"items": [1, 4], "k": 6}).json["recommendations"], expected)

    def test_what_may_be_recommended(self):
        every = self.service.post("/recommend", {"user_id": 7, "k": 30, "exclude_seen": False}).json["recommendations"]
        self.assertEqual(len(every), 30)
        said = self.service.post("/recommend", {"user_id": 7, "k": 30, "exclude_seen": False, "exclude": every[:3]}).json
        self.assertEqual(said["recommendations"], every[3:])
        said = self.service.post("/recommend", {"user_id": 7, "k": 30, "exclude_seen": False, "candidates": every[5:8]}).json
        self.assertEqual(said["recommendations"], every[5:8])
        said = self.service.post("/recommend", {"user_id": 7, "k": 4, "exclude_seen": False, "skip": 4}).json
        self.assertEqual(said["recommendations"], every[4:8])

    def test_filters(self):
        said = self.service.post("/recommend", {"user_id": 7, "k": 30, "exclude_seen": False,
                                                "filter": {"name": "cheap", "values": [10]}}).json
        self.assertEqual(sorted(said["recommendations"]), list(range(1, 10)))
        said = self.service.post("/recommend", {"user_id": 7, "k": 30, "exclude_seen": False, "filter": [
            {"name": "cheap", "values": [10]}, {"name": "of", "values": ["taste 1"]}]})
        self.assertEqual(said.status, 200, self.service.log()[-1500:])
        said = said.json
        self.assertEqual(sorted(said["recommendations"]), [1, 4, 7])
        self.problem(self.service.post("/recommend", {"user_id": 7, "filter": {"name": "nosuch"}}), 404)
        self.problem(self.service.post("/recommend", {"user_id": 7, "filter": {"name": "cheap", "values": ["ten"]}}), 422)
        self.problem(self.service.post("/recommend", {"user_id": 7, "filter": {"name": "cheap", "values": []}}), 422)
        self.problem(self.service.post("/recommend", {"user_id": 7, "filter": "price < 10"}), 422)

    def test_diversity(self):
        plain = self.service.post("/recommend", {"user_id": 7, "k": 8, "exclude_seen": False}).json
        self.assertEqual(self.service.post("/recommend", {"user_id": 7, "k": 8, "exclude_seen": False, "diversity": 0}).json, plain)
        varied = self.service.post("/recommend", {"user_id": 7, "k": 8, "exclude_seen": False, "diversity": 0.9}).json
        self.assertNotEqual(varied, plain)
        self.assertEqual(len(set(varied["recommendations"])), 8)

    def test_similar(self):
        expected = [int(r[0]) for r in self.rows("SELECT item_id FROM recsys.similar_items(4::bigint, 5, 'shop') ORDER BY rank")]
        self.assertEqual([r["item_id"] for r in self.service.get("/items/4/similar?k=5").json["similar"]], expected)
        self.assertEqual(self.service.get("/items/999999/similar").json, {"similar": []})

    def test_explained(self):
        item = self.service.get("/users/7/recommendations?k=1").json["recommendations"][0]
        reasons = self.service.get(f"/users/7/explanations/{item}?k=100").json["reasons"]
        score = float(self.rows(f"SELECT score FROM recsys.recommend(7::bigint, 1, 'shop')")[0][0])
        self.assertGreater(len(reasons), 1)
        self.assertAlmostEqual(sum(r["contribution"] for r in reasons), score, 4)

    def test_an_event_changes_the_next_list(self):
        user = 100001
        before = self.service.get(f"/users/{user}/recommendations?k=5&details=true&fresh=true").json["rows"]
        self.assertEqual({r["source"] for r in before}, {"popularity"})
        answer = self.service.post("/events", [{"user_id": user, "item_id": 3}, {"user_id": user, "item_id": 6, "rating": 4.5}])
        self.assertEqual((answer.status, answer.json), (202, {"accepted": 2}), answer)
        after = wait_until("the list to know the events", lambda: [
            r for r in self.service.get(f"/users/{user}/recommendations?k=5&details=true&fresh=true").json["rows"]
            if r["source"] == "model"])
        self.assertEqual(after[0]["item_id"] % 3, 0)  # of the taste of items 3 and 6

    def test_ids_of_requests(self):
        self.assertEqual(self.service.get("/healthz", {"X-Request-Id": "from-the-proxy.1"}).headers["x-request-id"], "from-the-proxy.1")
        self.assertRegex(self.service.get("/healthz", {"X-Request-Id": "x" * 65}).headers["x-request-id"], r"^[0-9a-f]{16}$")
        self.service.get("/users/424242/recommendations", {"X-Request-Id": "look-for-me"})
        lines = [json.loads(line) for line in self.service.log().splitlines()]
        line = next(line for line in lines if line.get("request_id") == "look-for-me")
        self.assertEqual((line["route"], line["status"]), ("/users/{user_id}/recommendations", 200))
        self.assertNotIn("424242", self.service.log())

    def test_metrics(self):
        self.service.get("/users/7/recommendations")
        said = self.service.get("/metrics").body.decode()
        self.assertRegex(said, r'recsys_http_requests_total\{route="/users/\{user_id\}/recommendations",status="200"\} [1-9]')
        self.assertRegex(said, r'recsys_stream_rows_total\{stream="clicks",partition="0"\} ')
        self.assertRegex(said, r'recsys_http_database_seconds_count\{server="primary"\} [1-9]')

    # --- bad ones ---

    def test_bad_values(self):
        for body in ({}, {"user_id": 1, "items": [1]}, {"user_id": None}, {"user_id": 1, "k": 0}, {"user_id": 1, "k": -1},
                     {"user_id": 1, "k": 1001}, {"user_id": 1, "k": "ten"}, {"user_id": 1, "k": 1.5}, {"user_id": 1, "k": True},
                     {"user_id": 1, "k": 10 ** 30}, {"user_id": 1, "unknown": 1}, {"user_id": {"a": 1}}, {"user_id": [1]},
                     {"user_id": "x" * 1001}, {"user_id": "a\x00b"}, {"items": ["one"]}, {"items": [10 ** 19]}, {"items": 5},
                     {"user_id": 1, "exclude": ["x"]}, {"user_id": 1, "candidates": "all"}, {"user_id": 1, "diversity": 2},
                     {"user_id": 1, "diversity": 1e400}, {"user_id": 1, "version": 0}, {"user_id": 1, "version": 2 ** 31},
                     {"user_id": 1, "skip": -1}, {"user_features": []}, {"user_features": {"age": {"deep": 1}}}, [], "text", 5, None):
            with self.subTest(body=repr(body)[:80]):
                answer = self.service.post("/recommend", json.dumps(body))
                self.assertIn(answer.status, (400, 422), (body, answer))
                self.problem(answer, answer.status)

    def test_unknown_things(self):
        self.problem(self.service.post("/recommend", {"user_id": 1, "model": "nosuch"}), 404)
        self.problem(self.service.post("/recommend", {"user_id": 1, "version": 77}), 404)
        self.problem(self.service.get("/nothing/here"), 404)
        self.problem(self.service.get("/../../etc/passwd"), 404)
        self.problem(self.service.get("/users/%2e%2e%2fmetrics/nothing"), 404)
        self.problem(self.service.request("DELETE", "/recommend"), 405)
        # a user nobody knows is a stranger: what is popular
        answer = self.service.get("/users/987654321/recommendations?details=true")
        self.assertEqual((answer.status, len(answer.json["rows"])), (200, 10), answer)
        # an id that the column of users cannot hold is nobody
        self.problem(self.service.get("/users/no-such-user/recommendations"), 422)

    def test_bad_bodies(self):
        json_type = {"Content-Type": "application/json"}
        for body in ("{", '{"user_id": 1', '{"user_id": NaN}', '{"user_id": 1, "diversity": Infinity}', "\xff", "[" * 50000, ""):
            with self.subTest(body=body[:20]):
                answer = self.service.request("POST", "/recommend", body.encode("latin-1"), json_type)
                self.assertIn(answer.status, (400, 422), answer)
                self.problem(answer, answer.status)
        self.problem(self.service.request("POST", "/recommend", "user_id=1", {"Content-Type": "application/x-www-form-urlencoded"}), 415)
        self.problem(self.service.request("POST", "/recommend", '{"user_id": 1}'), 415)
        self.problem(self.service.post("/recommend", {"items": [1] * 30000}), 413)

    def test_injections(self):
        for text in ("1'; DROP TABLE items; --", '1"); SELECT pg_sleep(9); --', "${jndi:ldap://x}", "{{7*7}}", "\\", "%00", "' OR 1=1"):
            with self.subTest(text=text):
                answer = self.service.post("/recommend", {"user_id": text})  # which says the id that it was given
                self.assertEqual((answer.status, answer.headers["content-type"]), (422, "application/problem+json"))
                self.problem(self.service.post("/recommend", {"user_id": 1, "model": text}), 404)
                self.problem(self.service.post("/recommend", {"user_id": 1, "filter": {"name": text}}), 404)
                answer = self.service.post("/recommend", {"user_id": 1, "filter": {"name": "of", "values": [text]}})
                self.assertEqual((answer.status, answer.json), (200, {"recommendations": []}))
        self.assertEqual(self.rows("SELECT count(*) FROM items"), [["30"]])

    def test_bad_events(self):
        before = self.rows("SELECT count(*) FROM events")
        for body in ({}, [], {"user_id": 1}, {"user_id": 1, "item_id": 1, "event_type": "with blanks"},
                     {"user_id": 1, "item_id": 1, "ts": "yesterday"}, {"user_id": 1, "item_id": 1, "more": 1},
                     {"user_id": 1, "item_id": 1, "rating": "five"}, [{"user_id": 1, "item_id": 1}] * 1001):
            with self.subTest(body=repr(body)[:60]):
                self.problem(self.service.post("/events", body), 422)
        self.assertEqual(self.rows("SELECT count(*) FROM events"), before)

    def test_slow_clients(self):
        with socket.create_connection(("127.0.0.1", self.service.port)) as slow:
            slow.settimeout(10)
            slow.sendall(b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
            self.assertIn(b" 408 ", slow.recv(1000))
        with socket.create_connection(("127.0.0.1", self.service.port)) as slow:
            slow.settimeout(10)
            slow.sendall(b"GET /healthz HTT")
            self.assertEqual(slow.recv(1000), b"")
        with socket.create_connection(("127.0.0.1", self.service.port)) as flood:
            flood.settimeout(10)
            try:
                flood.sendall(b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 200000)
                said = flood.recv(1000)
            except OSError:
                said = b""
            self.assertNotIn(b" 200 ", said)
        self.assertEqual(self.service.get("/healthz").status, 200)


class TestRoles(unittest.TestCase):
    """A token is a role of the database, and row security is the role's."""

    @classmethod
    def setUpClass(cls):
        cls.server = Postgres("roles")
        open_shop(cls.server)
        cls.server.sql("CREATE ROLE anna; CREATE ROLE bert; CREATE ROLE web LOGIN IN ROLE anna, bert", user="postgres")
        cls.server.sql("""GRANT SELECT ON items TO anna, bert; GRANT SELECT ON events TO anna, bert;
            ALTER TABLE events ENABLE ROW LEVEL SECURITY;
            CREATE POLICY own ON events USING (current_user = 'anna' OR user_id > 1000);
            SELECT recsys.grant_model('shop', 'anna'), recsys.grant_model('shop', 'bert')""")
        cls.service = Service(database=cls.server.uri("web"), tokens=TOKENS, model="shop", pool_size=1)

    def ask(self, token):
        return self.service.get("/users/7/recommendations?details=true", {"Authorization": "Bearer " + token} if token else {})

    def test_roles(self):
        for _ in range(3):  # over one connection, in turn
            anna, bert = (self.ask(token) for token in TOKENS)
            self.assertEqual((anna.status, bert.status), (200, 200), (anna, bert, self.service.log()[-600:]))
            self.assertEqual(anna.json["rows"][0]["source"], "model")
            self.assertEqual({r["source"] for r in bert.json["rows"]}, {"popularity"})
        for token in (None, "token-of-nobody-012345"):
            answer = self.ask(token)
            self.assertEqual((answer.status, answer.headers["www-authenticate"]), (401, "Bearer"))
        self.assertEqual(self.service.get("/healthz").status, 200)

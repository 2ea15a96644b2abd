"""Around every request: its id, its limits, its line in the log, its place in the metrics."""

import asyncio
import json
import logging
import re
import secrets
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from problem import Problem, request_id as current_id

BUCKETS = (.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5)
log = logging.getLogger("recsys")


class Metrics:
    def __init__(self):
        self.registry = CollectorRegistry()
        self.requests = Counter("recsys_http_requests", "Requests answered.", ("route", "status"),
                                registry=self.registry)
        self.seconds = Histogram("recsys_http_request_seconds", "Seconds from a request to its answer.",
                                 ("route",), buckets=BUCKETS, registry=self.registry)
        self.at_work = Gauge("recsys_http_requests_at_work", "Requests at work.", registry=self.registry)
        self.database_seconds = Histogram("recsys_http_database_seconds", "Seconds of a statement, and of "
                                          "waiting for a connection.", ("server",), buckets=BUCKETS,
                                          registry=self.registry)
        self.database_errors = Counter("recsys_http_database_errors", "Times that a server could not be asked.",
                                       ("server", "reason"), registry=self.registry)
        self.events = Counter("recsys_http_events", "Events given to Kafka.", ("outcome",),
                              registry=self.registry)


class JsonLines(logging.Formatter):
    """One JSON object a line.  No ids of people: routes are logged, not paths."""

    def format(self, record):
        line = {"time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"), "level": record.levelname.lower(),
                "message": record.getMessage()}
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def start_log():
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


class Around:
    """ASGI middleware, by hand: Starlette's own costs as much as an answer does."""

    def __init__(self, app, settings, metrics):
        self.app = app
        self.settings = settings
        self.metrics = metrics
        self.at_work = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) else secrets.token_hex(8)
        current_id.set(request_id)
        status = 500
        begun = False

        async def answer(message):
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status = message["status"]
                begun = True
                message["headers"] = list(message["headers"]) + [
                    (b"x-request-id", request_id.encode()), (b"x-content-type-options", b"nosniff"),
                    (b"cache-control", b"no-store")]
            await send(message)

        self.at_work += 1
        self.metrics.at_work.set(self.at_work)
        try:
            if self.at_work > self.settings.max_requests and scope["path"] not in ("/healthz", "/readyz", "/metrics"):
                raise Problem(503, "more requests are at work than this service takes", retry_after=1)
            await self.app(scope, await self.body(scope, receive), answer)
        except Problem as problem:
            await problem.response()(scope, receive, answer)
        except Exception:
            log.exception("a request failed", extra={"fields": {"request_id": request_id}})
            if not begun:
                await Problem(500, "something went wrong; the log has it under this request's id") \
                    .response()(scope, receive, answer)
        finally:
            self.at_work -= 1
            self.metrics.at_work.set(self.at_work)
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(route, status).inc()
            self.metrics.seconds.labels(route).observe(seconds)
            if route not in ("/healthz", "/readyz", "/metrics"):
                log.info("request", extra={"fields": {
                    "request_id": request_id, "method": scope["method"], "route": route,
                    "status": status, "milliseconds": round(1000 * seconds, 2)}})

    async def body(self, scope, receive):
        """The whole body, bounded in size and in time, before anything else is done."""
        chunks = []
        size = 0
        deadline = time.perf_counter() + self.settings.body_timeout
        while True:
            try:
                message = await asyncio.wait_for(receive(), max(deadline - time.perf_counter(), 0.001))
            except asyncio.TimeoutError:
                raise Problem(408, "the request did not come whole in time",
                              headers={"Connection": "close"}) from None
            if message["type"] != "http.request":
                break
            size += len(message.get("body", b""))
            if size > self.settings.max_body:
                raise Problem(413, f"a body may have {self.settings.max_body} bytes",
                              headers={"Connection": "close"})
            chunks.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        whole = {"type": "http.request", "body": b"".join(chunks), "more_body": False}
        given = False

        async def replay():
            nonlocal given
            if given:
                return await receive()
            given = True
            return whole

        return replay

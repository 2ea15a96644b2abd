"""Recommendations over HTTP.

Every decision is the database's: an endpoint reads its arguments, calls one SQL
function and writes down what comes.  No model and no state is held here, so any
number of instances serve alike.
"""

import json
import secrets
import time
from datetime import datetime, timezone
from typing import Dict, List, Optional, Union

from fastapi import FastAPI, Header, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, StrictBool, StrictFloat, StrictInt, StrictStr, confloat, conint
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from database import Database
from middleware import Around, Metrics
from problem import MEDIA_TYPE, Busy, Problem

TEXT = 1000  # characters of an id, at most

Id = Union[StrictInt, StrictStr]
Number = Union[StrictInt, StrictFloat]


def no_number(constant):
    raise ValueError(f"{constant} is no JSON")


class JsonRequest(Request):
    """Python's parser takes NaN and Infinity, which are no JSON."""

    async def json(self):
        return json.loads(await self.body(), parse_constant=no_number)


class Route(APIRoute):
    def get_route_handler(self):
        handler = super().get_route_handler()

        async def handle(request):
            if request.method == "POST" and \
                    request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
                raise Problem(415, "the body must be application/json")
            return await handler(JsonRequest(request.scope, request.receive))

        return handle


class Shape(BaseModel):
    """What may be null is told to be so: pydantic leaves it out of the schema."""
    class Config:
        @staticmethod
        def schema_extra(schema, model):
            for name, field in model.__fields__.items():
                if field.allow_none:
                    schema["properties"][name] = {"anyOf": [schema["properties"][name], {"type": "null"}]}


class Strict(Shape):
    class Config:
        extra = "forbid"


class Filter(Strict):
    """One of the filters that the service was configured with."""
    name: str = Field(max_length=63)
    values: List[Union[StrictBool, StrictInt, StrictFloat, StrictStr, None]] = Field([], max_items=100)


class Ask(Strict):
    """Whom or what to recommend for, and what may be recommended."""
    user_id: Optional[Id] = Field(None, description="a user, from whose events the list is made")
    items: Optional[List[Id]] = Field(None, max_items=10000, description="items of a session or cart, oldest first")
    user_features: Optional[Union[Dict[str, Union[StrictBool, StrictInt, StrictFloat, StrictStr, None]], List[Number]]] = \
        Field(None, description="the columns of the model's users, or the encoded vector")
    k: conint(strict=True, ge=1) = 10
    model: Optional[str] = Field(None, max_length=200)
    version: Optional[conint(strict=True, ge=1, lt=2**31)] = None
    exclude: Optional[List[Id]] = Field(None, max_items=100000)
    candidates: Optional[List[Id]] = Field(None, max_items=100000)
    exclude_seen: StrictBool = True
    filter: Optional[Union[List[Filter], Filter]] = None  # the list first: pydantic reads pairs as an object
    diversity: Optional[confloat(ge=0, le=1)] = None
    skip: conint(strict=True, ge=0, le=100000) = 0
    fresh: StrictBool = Field(False, description="read from the primary, which has one's own writes")
    details: StrictBool = Field(False, description="scores, source and version too")


class Row(Shape):
    item_id: Id
    score: Optional[float] = Field(description="of the model; null where popularity filled the list up")
    rank: int
    source: str
    version: Optional[int]


class Recommendations(Shape):
    recommendations: List[Id]
    rows: Optional[List[Row]] = None
    list_id: Optional[str] = Field(None, description="names this list, for impressions and clicks")


class Similar(Shape):
    item_id: Id
    score: Optional[float]
    rank: int


class SimilarItems(Shape):
    similar: List[Similar]


class Reason(Shape):
    item_id: Optional[Id]
    contribution: float


class Explanation(Shape):
    reasons: List[Reason] = Field(description="what the score is made of, the largest first")


class Event(Strict):
    user_id: Id
    item_id: Id
    event_type: str = Field("view", regex=r"^[A-Za-z0-9_.-]{1,63}$")
    rating: Optional[Number] = None
    ts: Optional[datetime] = Field(None, description="when it happened; now, if it is not given")


class Accepted(Shape):
    accepted: int


class ProblemDocument(Shape):
    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: Optional[List[dict]] = None


PROBLEMS = {status: {"model": ProblemDocument, "description": what} for status, what in (
    (400, "not a request that can be read"), (401, "a bearer token is missing or unknown"),
    (403, "the caller's role may not"), (404, "no such model, version or filter"),
    (408, "the request came too slowly"), (413, "the body is too large"),
    (415, "the body is not application/json"), (422, "a value that cannot be"),
    (500, "a fault of the service"), (503, "not now: come back after Retry-After seconds"))}


def ids(values):
    return None if values is None else [identifier(value) for value in values]


def identifier(value):
    text = str(value)
    if len(text) > TEXT or "\x00" in text:
        raise Problem(422, f"an id is a number or a text of at most {TEXT} characters without a zero byte")
    return text


def plain(value):
    """A value of a filter as PostgreSQL reads it; None is null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if value is None else identifier(value)


class Service:
    def __init__(self, settings):
        self.settings = settings
        self.metrics = Metrics()
        self.database = Database(settings, self.metrics)
        self.events = None
        self.item_types = {}
        self.scraped = (0.0, "")

    # --- who asks ---

    def role(self, authorization):
        """The database role of a request; None without tokens."""
        if not self.settings.tokens:
            return None
        scheme, _, token = (authorization or "").partition(" ")
        role = None
        if scheme.lower() == "bearer":
            for known, its_role in self.settings.tokens.items():
                if secrets.compare_digest(known.encode(), token.strip().encode()):
                    role = its_role
        if role is None:
            raise Problem(401, "a known bearer token is needed", headers={"WWW-Authenticate": "Bearer"})
        return role

    # --- what is asked ---

    async def item_type(self, role, model):
        """Type of the ids in answers: that of the live model, asked for once a minute."""
        if self.settings.item_type != "auto":
            return self.settings.item_type
        now = time.monotonic()
        known = self.item_types.get((role, model))
        if known and known[1] > now:
            return known[0]
        rows = await self.database.fetch(
            role, "SELECT DISTINCT id_type::text FROM recsys.model_versions WHERE live AND ($1::text IS NULL OR model = $1)",
            model, fresh=False)
        answer = rows[0][0] if len(rows) == 1 else "text"
        if len(self.item_types) > 1000:
            self.item_types.clear()
        self.item_types[(role, model)] = (answer if answer in ("bigint", "uuid") else "text", now + 60)
        return self.item_types[(role, model)][0]

    def condition(self, filters):
        """One SQL condition of the configured ones, and the values it is bound to."""
        if filters is None:
            return None, None
        parts = []
        values = []
        for wanted in filters if isinstance(filters, list) else [filters]:
            configured = self.settings.filters.get(wanted.name)
            if configured is None:
                raise Problem(404, "there is no filter of that name")
            parts.append("(" + _renumbered(configured, len(values)) + ")")
            values += [plain(value) for value in wanted.values]
        return (" AND ".join(parts), values) if parts else (None, None)

    async def recommend(self, ask, role):
        given = [name for name in ("user_id", "items", "user_features") if getattr(ask, name) is not None]
        if len(given) != 1:
            raise Problem(422, "give one of user_id, items and user_features" +
                          (f", not {' and '.join(given)}" if given else ""))
        if ask.k > self.settings.max_k:
            raise Problem(422, f"k may be {self.settings.max_k} at most")
        model = ask.model or self.settings.model or None
        kind = await self.item_type(role, model)
        condition, values = self.condition(ask.filter)
        arguments = {"k": ask.k, "model": model, "exclude_seen": ask.exclude_seen, "exclude": ids(ask.exclude),
                     "candidates": ids(ask.candidates), "filter": condition, "filter_values": values,
                     "diversity": ask.diversity, "skip": ask.skip or None, "version": ask.version}
        statement, values = _statement(given[0], getattr(ask, given[0]), kind, arguments)
        rows = await self.database.fetch(role, statement, *values, fresh=ask.fresh)
        answer = {"recommendations": [_id(row["item_id"]) for row in rows]}
        if ask.details:
            answer["rows"] = [{**row, "item_id": _id(row["item_id"])} for row in map(dict, rows)]
            answer["list_id"] = secrets.token_hex(8)
        return answer

    async def scrape(self):
        """The database's own metrics, asked for at most every five seconds."""
        now = time.monotonic()
        if now - self.scraped[0] < 5:
            return self.scraped[1]
        try:
            rows = await self.database.fetch(None, "SELECT metric, type, help, labels::text, value FROM recsys.stream_metrics")
        except Problem:
            return ""
        self.scraped = (now, _exposition(rows))
        return self.scraped[1]


_TYPES = {"k": "integer", "model": "text", "exclude_seen": "boolean", "filter": "text", "filter_values": "text[]",
          "diversity": "double precision", "skip": "integer", "version": "integer"}


def _statement(subject, value, kind, arguments):
    """The call for a subject: what is not asked for (None) is not named, so a
    service of this version goes with a database of an older one."""
    ids_of = "text" if subject == "user_features" else kind  # features do not tell the type of ids
    if subject == "user_id":
        call, value = f"recommend_as(NULL::{kind}, $1::text", identifier(value)
    elif subject == "items":
        call, value = f"recommend_for_items($1::text[]::{kind}[]", ids(value)
    elif isinstance(value, dict):
        call, value = "recommend_for_features($1::text::jsonb", json.dumps(value)
    else:
        call, value = "recommend_for_features($1::real[]", [float(number) for number in value]
    values = [value]
    for name, argument in arguments.items():
        if argument is not None:
            values.append(argument)
            cast = _TYPES.get(name, f"text[]::{ids_of}[]")  # exclude and candidates
            call += f", {name} => ${len(values)}::{cast}"
    return f"SELECT item_id::{kind} AS item_id, score, rank, source, version FROM recsys.{call})", values


def _id(value):
    return value if isinstance(value, int) else str(value)


def _renumbered(condition, by):
    """$1 of a condition is $(by + 1) behind another; quoted text stays as it is."""
    out = []
    i = 0
    while i < len(condition):
        c = condition[i]
        if c in "'\"":
            end = condition.find(c, i + 1)
            end = len(condition) if end < 0 else end + 1
            out.append(condition[i:end])
            i = end
        elif c == "$" and i + 1 < len(condition) and condition[i + 1].isdigit():
            end = i + 1
            while end < len(condition) and condition[end].isdigit():
                end += 1
            out.append(f"${int(condition[i + 1:end]) + by}")
            i = end
        else:
            out.append(c)
            i += 1
    return "".join(out)


def _exposition(rows):
    lines = []
    metrics = {}
    for row in rows:
        metrics.setdefault(row["metric"], []).append(row)
    for metric, samples in metrics.items():
        lines.append(f"# HELP {metric} {samples[0]['help']}")
        lines.append(f"# TYPE {metric} {samples[0]['type']}")
        for sample in samples:
            if sample["value"] is None:
                continue
            labels = ",".join('%s="%s"' % (name, str(value).replace("\\", r"\\").replace('"', r'\"').replace("\n", r"\n"))
                              for name, value in json.loads(sample["labels"]).items())
            lines.append(f"{metric}{{{labels}}} {sample['value']}")
    return "\n".join(lines) + "\n" if lines else ""


def create_app(settings):
    service = Service(settings)

    app = FastAPI(title="recsys", version="1.0.0", docs_url=None, redoc_url=None,
                  openapi_url="/openapi.json", description=__doc__)
    app.router.route_class = Route

    @app.on_event("startup")
    async def start():
        await service.database.start()
        if settings.brokers:
            from kafka import Events
            service.events = Events(settings, service.metrics)

    @app.on_event("shutdown")
    async def stop():
        if service.events is not None:
            await service.events.stop()
        await service.database.stop()

    app.state.service = service
    bearer = Header(None, description="Bearer, and a token") if settings.tokens else Header(None, include_in_schema=False)

    @app.exception_handler(Problem)
    async def problem(request, error):
        return error.response()

    @app.exception_handler(HTTPException)
    async def http_problem(request, error):
        details = {404: "there is nothing at this address", 405: "this address knows other methods"}
        return Problem(error.status_code, details.get(error.status_code, "the request cannot be read"),
                       headers=error.headers).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(request, error):
        kinds = {e["type"] for e in error.errors()}
        if any(kind.startswith("value_error.jsondecode") for kind in kinds):
            return Problem(400, "the body is not JSON").response()
        return Problem(422, "some values cannot be", errors=[
            {"at": [str(part) for part in e["loc"]], "detail": e["msg"]} for e in error.errors()[:20]]) \
            .response()

    def post(path, answer, **more):
        return app.post(path, response_model=answer, response_model_exclude_none=False,
                        responses={n: PROBLEMS[n] for n in (400, 401, 403, 404, 408, 413, 415, 422, 500, 503)}, **more)

    def get(path, answer, **more):
        return app.get(path, response_model=answer,
                       responses={n: PROBLEMS[n] for n in (401, 403, 404, 422, 500, 503)}, **more)

    @post("/recommend", Recommendations, summary="The best items for a user, a session or a stranger")
    async def recommend(ask: Ask, authorization: Optional[str] = bearer):
        answer = await service.recommend(ask, service.role(authorization))
        return JSONResponse(answer)

    @get("/users/{user_id}/recommendations", Recommendations, summary="The best items for a user")
    async def for_user(user_id: str = Path(max_length=TEXT), k: int = Query(10, ge=1), model: Optional[str] = Query(None, max_length=200),
                       exclude_seen: bool = True, diversity: Optional[float] = Query(None, ge=0, le=1),
                       skip: int = Query(0, ge=0, le=100000), version: Optional[int] = Query(None, ge=1, lt=2**31),
                       fresh: bool = False, details: bool = False, authorization: Optional[str] = bearer):
        ask = Ask(user_id=user_id, k=k, model=model, exclude_seen=exclude_seen, diversity=diversity, skip=skip,
                  version=version, fresh=fresh, details=details)
        return JSONResponse(await service.recommend(ask, service.role(authorization)))

    @get("/items/{item_id}/similar", SimilarItems, summary="The items most like an item")
    async def similar(item_id: str = Path(max_length=TEXT), k: int = Query(10, ge=1), model: Optional[str] = Query(None, max_length=200),
                      authorization: Optional[str] = bearer):
        role = service.role(authorization)
        if k > settings.max_k:
            raise Problem(422, f"k may be {settings.max_k} at most")
        model = model or settings.model or None
        kind = await service.item_type(role, model)
        rows = await service.database.fetch(
            role, f"SELECT item_id, score, rank FROM recsys.similar_items($1::text::{kind}, k => $2, model => $3)",
            identifier(item_id), k, model, fresh=False)
        return JSONResponse({"similar": [{**row, "item_id": _id(row["item_id"])} for row in map(dict, rows)]})

    @get("/users/{user_id}/explanations/{item_id}", Explanation, summary="Why an item is recommended to a user")
    async def explain(user_id: str = Path(max_length=TEXT), item_id: str = Path(max_length=TEXT), model: Optional[str] = Query(None, max_length=200),
                      k: int = Query(10, ge=1, le=1000), authorization: Optional[str] = bearer):
        rows = await service.database.fetch(
            service.role(authorization),
            "SELECT item_id, contribution FROM recsys.explain($1::text, $2::text, model => $3) "
            "ORDER BY contribution DESC LIMIT $4",
            identifier(user_id), identifier(item_id), model or settings.model or None, k, fresh=False)
        return JSONResponse({"reasons": [dict(row) for row in rows]})

    if settings.brokers:
        @post("/events", Accepted, status_code=202, summary="What people did: one event, or at most 1,000")
        async def events(request: Request, body: Union[List[Event], Event], authorization: Optional[str] = bearer):
            service.role(authorization)
            several = body if isinstance(body, list) else [body]
            if not 1 <= len(several) <= 1000:
                raise Problem(422, f"send from 1 to 1000 events, not {len(several)}")
            now = datetime.now(timezone.utc)
            messages = []
            for event in several:
                identifier(event.user_id), identifier(event.item_id)
                message = event.dict(exclude_none=True)
                message["ts"] = (event.ts or now).isoformat()
                messages.append(message)
            await service.events.send(messages)
            return JSONResponse({"accepted": len(messages)}, 202)

    @app.get("/healthz", summary="Does the process live?", response_class=Response)
    async def healthz():
        return Response("ok\n", media_type="text/plain")

    @app.get("/readyz", summary="Can it answer?", response_class=Response, responses={503: PROBLEMS[503]})
    async def readyz():
        try:
            await service.database.fetch(None, "SELECT 1", fresh=False)
        except Busy:
            if not service.database.answered_within(1):  # an instance under load goes on
                raise
        return Response("ok\n", media_type="text/plain")

    @app.get("/metrics", summary="For Prometheus: the service's own, and the database's", response_class=Response)
    async def metrics():
        own = generate_latest(service.metrics.registry).decode()
        return Response(own + await service.scrape(), media_type=CONTENT_TYPE_LATEST)

    if settings.pages:
        from pages import add_pages
        add_pages(app, service)

    described = app.openapi

    def openapi():
        """3.1: what FastAPI writes of JSON Schema is in the form of 3.1 already."""
        document = described()
        document["openapi"] = "3.1.0"
        for path in document["paths"].values():
            for operation in path.values():
                for status, answer in operation.get("responses", {}).items():
                    if status[0] in "45" and "content" in answer:
                        schema = answer["content"].pop("application/json", {"schema": {
                            "$ref": "#/components/schemas/ProblemDocument"}})
                        if status == "422":
                            schema = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
                        answer["content"] = {MEDIA_TYPE: schema}
        return document

    app.openapi = openapi
    app.add_middleware(Around, settings=settings, metrics=service.metrics)
    return app

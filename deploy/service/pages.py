"""What the two pages ask for beside the service's own endpoints.

The shop's page shows the tables of the demo's shop (items: item_id, title,
category, price; users: user_id, age, city).  The operator's page shows the views
of the extension, and changes what the caller's role may change.
"""

import os
from typing import Optional

from fastapi import Header, Query
from pydantic import BaseModel
from starlette.responses import FileResponse, JSONResponse

from problem import Problem

STATIC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "static")
FILES = {"/": "shop.html", "/operator": "operator.html", "/shop.js": "shop.js", "/operator.js": "operator.js",
         "/page.js": "page.js", "/pages.css": "pages.css"}
POLICY = {"Content-Security-Policy": "default-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
          "form-action 'self'; frame-ancestors 'none'", "Referrer-Policy": "no-referrer"}


class Deploy(BaseModel):
    model: str
    version: int


class Retry(BaseModel):
    stream: str


def add_pages(app, service):
    fetch = service.database.fetch

    def page(path, name):
        @app.get(path, include_in_schema=False)
        async def file():
            return FileResponse(os.path.join(STATIC, name), headers=POLICY)

    for path, name in FILES.items():
        page(path, name)

    def rows(found):
        return JSONResponse([{name: value if isinstance(value, (int, float, str, bool, type(None))) else str(value)
                              for name, value in dict(row).items()} for row in found])

    # --- the shop ---

    @app.get("/shop/people", include_in_schema=False)
    async def people(authorization: Optional[str] = Header(None)):
        return rows(await fetch(service.role(authorization), """
            SELECT u.user_id, u.age, u.city, e.n AS events
            FROM public.users u JOIN (SELECT user_id, count(*) AS n FROM public.events GROUP BY user_id
                HAVING count(*) BETWEEN 20 AND 80) e USING (user_id)
            ORDER BY hashtextextended(user_id::text, 8) LIMIT 12""", fresh=False))

    @app.get("/shop/categories", include_in_schema=False)
    async def categories(authorization: Optional[str] = Header(None)):
        return rows(await fetch(service.role(authorization),
                                "SELECT category, count(*) AS items FROM public.items GROUP BY 1 ORDER BY 1", fresh=False))

    @app.get("/shop/items", include_in_schema=False)
    async def items(category: Optional[str] = Query(None, max_length=100), search: Optional[str] = Query(None, max_length=100),
                    ids: Optional[str] = Query(None, max_length=4000, regex=r"^\d{1,18}(,\d{1,18})*$"),
                    skip: int = Query(0, ge=0, le=100000), authorization: Optional[str] = Header(None)):
        return rows(await fetch(service.role(authorization), """
            SELECT item_id, title, category, price::float8 AS price FROM public.items
            WHERE ($1::text IS NULL OR category = $1) AND ($2::text IS NULL OR title ILIKE '%' || $2 || '%')
                AND ($3::text IS NULL OR item_id = ANY (string_to_array($3, ',')::bigint[]))
            ORDER BY item_id OFFSET $4 LIMIT CASE WHEN $3::text IS NULL THEN 24 ELSE 1000 END""",
            category, search, ids, skip, fresh=False))

    # --- the operator ---

    views = {
        "models": "SELECT * FROM recsys.models ORDER BY model",
        "versions": "SELECT model, version, live, algorithm, users, items, events, bytes, seconds, loss, trained_by, "
                    "trained_at FROM recsys.model_versions ORDER BY model, version DESC LIMIT 200",
        "losses": "SELECT model, version, epoch, loss, validation_loss FROM recsys.training_log ORDER BY 1, 2, 3 LIMIT 5000",
        "streams": "SELECT stream, topic, target, state, partitions, lag, rows, rejected, last_event_time, error "
                   "FROM recsys.streams ORDER BY stream",
        "partitions": "SELECT stream, partition, state, next_offset, end_offset, lag, rows, rejected, rows_per_second, error "
                      "FROM recsys.stream_status ORDER BY 1, 2 LIMIT 500",
        "dead_letters": "SELECT id, stream, partition, message_offset, sqlstate, error, rejected_at, retries, "
                        "left(convert_from(payload, 'UTF8'), 200) AS payload FROM recsys.dead_letters "
                        "ORDER BY id DESC LIMIT 50",
        "progress": "SELECT model, algorithm, phase, iteration, iterations, loss, rows, seconds FROM recsys.training_progress",
        "cache": "SELECT * FROM recsys.cache_status LIMIT 200",
    }

    @app.get("/operator/{view}", include_in_schema=False)
    async def view(view: str, authorization: Optional[str] = Header(None)):
        if view not in views:
            raise Problem(404, "there is no such view")
        return rows(await fetch(service.role(authorization), views[view]))

    @app.get("/operator/service/latency", include_in_schema=False)
    async def latency(authorization: Optional[str] = Header(None)):
        service.role(authorization)
        buckets = {}
        for family in service.metrics.seconds.collect():
            for sample in family.samples:
                if sample.name.endswith("_bucket") and sample.labels["route"] in (
                        "/recommend", "/users/{user_id}/recommendations", "/events"):
                    buckets.setdefault(sample.labels["route"], []).append([sample.labels["le"], sample.value])
        return JSONResponse(buckets)

    @app.post("/operator/deploy", include_in_schema=False)
    async def deploy(body: Deploy, authorization: Optional[str] = Header(None)):
        await fetch(service.role(authorization), "SELECT recsys.deploy($1, $2)", body.model, body.version)
        return JSONResponse({"live": body.version})

    @app.post("/operator/retry", include_in_schema=False)
    async def retry(body: Retry, authorization: Optional[str] = Header(None)):
        return rows(await fetch(service.role(authorization),
                                "SELECT retried, written, rejected FROM recsys.retry_dead_letters($1, max_messages => 1000)",
                                body.stream))

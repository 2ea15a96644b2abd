"""Errors as RFC 9457 problem documents: what was wrong, never SQL nor a stack."""

import contextvars
import json

from starlette.responses import Response

TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
          405: "Method Not Allowed", 408: "Request Timeout", 413: "Content Too Large",
          415: "Unsupported Media Type", 422: "Unprocessable Content",
          500: "Internal Server Error", 503: "Service Unavailable", 504: "Gateway Timeout"}
MEDIA_TYPE = "application/problem+json"

# The id of the request that is being answered, for lines of the log
request_id = contextvars.ContextVar("request_id", default=None)


class Problem(Exception):
    """retry_after: seconds, for what passes by itself."""

    def __init__(self, status, detail, *, retry_after=None, errors=None, headers=None):
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after
        self.errors = errors
        self.headers = dict(headers or {})

    def response(self):
        body = {"type": "about:blank", "title": TITLES.get(self.status, "Error"),
                "status": self.status, "detail": self.detail, "request_id": request_id.get()}
        if self.errors:
            body["errors"] = self.errors
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return Response(json.dumps(body, ensure_ascii=False), self.status, headers, MEDIA_TYPE)


class Busy(Problem):
    """The database is well and has no time."""

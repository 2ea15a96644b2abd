"""Settings of the service, from the environment and nowhere else.

Each is one line below: name, default, how it is read, what it means.  `--help`
prints them; a value that cannot be read ends the start with one line.
"""

import json
import os
import re
import sys

_UNITS = {"": 1, "k": 1 << 10, "M": 1 << 20}


def _text(value):
    return value


def _number(low, high):
    def read(value):
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"must be from {low} to {high}")
        return number
    return read


def _seconds(value):
    number = float(value)
    if not 0 < number <= 3600:
        raise ValueError("must be above 0 and at most 3600 seconds")
    return number


def _bytes(value):
    match = re.fullmatch(r"(\d+)([kM]?)", value)
    if not match:
        raise ValueError("must be a number of bytes, or of k or M")
    return int(match[1]) * _UNITS[match[2]]


def _flag(value):
    if value.lower() not in ("0", "1", "false", "true", "no", "yes"):
        raise ValueError("must be yes or no")
    return value.lower() in ("1", "true", "yes")


def _json_file(check):
    """A file of one JSON object from names to texts."""
    def read(path):
        if not path:
            return {}
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
            raise ValueError("must hold a JSON object whose values are strings")
        for name, value in content.items():
            check(name, value)
        return content
    return read


def _filter(name, condition):
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name):
        raise ValueError(f"a filter's name is letters, digits and underscores, not {name!r}")
    if not condition.strip():
        raise ValueError(f"filter {name} is empty")


def _token(token, role):
    if len(token) < 16:
        raise ValueError("a token has 16 characters at least")
    if not role:
        raise ValueError("a token without a role")


def _id_type(value):
    if value not in ("auto", "bigint", "uuid", "text"):
        raise ValueError("must be auto, bigint, uuid or text")
    return value


SETTINGS = (
    ("host", "127.0.0.1", _text, "address to listen at"),
    ("port", "5000", _number(1, 65535), "port to listen at"),
    ("database", "postgresql:///postgres", _text,
     "connection URI of the database; several hosts are tried in order"),
    ("replica", "", _text, "connection URI of a hot standby: reads go there, but for requests that "
     "ask for what is fresh"),
    ("pool_size", "8", _number(1, 1000), "connections to each of them"),
    ("pool_wait", "0.5", _seconds, "seconds a request may wait for a connection"),
    ("connect_timeout", "2", _seconds, "seconds until a connection must stand"),
    ("statement_timeout", "2", _seconds, "seconds a statement may take"),
    ("max_requests", "200", _number(1, 100000), "requests at work at once; more are told to come back"),
    ("max_body", "256k", _bytes, "bytes of a request's body"),
    ("body_timeout", "10", _seconds, "seconds a client may take to send its request"),
    ("max_k", "1000", _number(1, 100000), "items a list may have"),
    ("model", "", _text, "model of requests that name none; empty: the database's default"),
    ("item_type", "auto", _id_type, "type of the item ids in answers; auto: as the live model has them"),
    ("filters", "", _json_file(_filter), "file: {\"name\": \"SQL condition with $1, $2 …\"}, the only "
     "conditions that a request can ask for"),
    ("tokens", "", _json_file(_token), "file: {\"bearer token\": \"database role\"}; with it, no request "
     "is served without one"),
    ("brokers", "", _text, "Kafka's bootstrap servers for POST /events; empty: there is no such endpoint"),
    ("topic", "user-behavior-topic", _text, "topic of the events"),
    ("kafka", "", _json_file(lambda name, value: None), "file: further settings of librdkafka"),
    ("delivery_timeout", "5", _seconds, "seconds until the broker must have an event"),
    ("pages", "no", _flag, "serve the shop's page at / and the operator's at /operator"),
)


class Settings:
    def __init__(self, environment=os.environ):
        known = {"RECSYS_" + name.upper() for name, *_ in SETTINGS}
        for name in environment:
            if name.startswith("RECSYS_") and name not in known and not _by_kubernetes(name):
                raise SystemExit(f"unknown setting {name}: --help lists those that there are")
        for name, default, read, _ in SETTINGS:
            variable = "RECSYS_" + name.upper()
            try:
                setattr(self, name, read(environment.get(variable, default)))
            except (OSError, ValueError) as error:
                raise SystemExit(f"{variable}: {error}") from None


def _by_kubernetes(name):
    # Kubernetes puts an address of each Service into the environment
    return re.search(r"_(SERVICE_(HOST|PORT.*)|PORT(_\d+_(TCP|UDP).*)?)$", name) is not None and \
        name != "RECSYS_PORT"


def help_text():
    lines = ["Recommendations over HTTP from a PostgreSQL database with the extension recsys.",
             "", "Settings, all from the environment:", ""]
    for name, default, _, meaning in SETTINGS:
        lines.append(f"  RECSYS_{name.upper()}" + (f"  (default {default})" if default else ""))
        lines.append(f"      {meaning}")
    return "\n".join(lines)


def read_settings(arguments):
    if arguments and arguments != ["--help"]:
        print("no arguments but --help: settings come from the environment", file=sys.stderr)
        raise SystemExit(2)
    if arguments:
        print(help_text())
        raise SystemExit(0)
    return Settings()

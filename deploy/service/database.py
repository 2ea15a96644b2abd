"""The way to the database: pools, roles, time limits, and what its errors mean to a client.

asyncpg and not psycopg: Debian has psycopg 3 without its part in C.
A connection is used by one request at a time.  None is waited for longer than
pool_wait, and no more requests wait than there are connections: beyond that the
client is told to come back, for a queue only makes everybody late.
"""

import asyncio
import logging
import time

import asyncpg

from problem import Busy, Problem, request_id

RETRY_AFTER = 1
log = logging.getLogger("recsys")


class Connection(asyncpg.Connection):
    """Statements here leave nothing behind, so nothing is reset in between."""

    role = None

    def get_reset_query(self):
        return ""

    _get_reset_query = get_reset_query  # its name in Debian's asyncpg


class Unreachable(Exception):
    """The server is not there, or not as a server that can be asked."""


class Pool:
    def __init__(self, uri, settings, metrics, name):
        self.uri = uri
        self.name = name
        self.settings = settings
        self.metrics = metrics
        self.waiting = 0
        self.answered = None  # when it last did, in monotonic seconds
        self.pool = None

    async def start(self):
        s = self.settings
        self.pool = asyncpg.create_pool(
            self.uri, min_size=0, max_size=s.pool_size, connection_class=Connection,
            timeout=s.connect_timeout, max_inactive_connection_lifetime=60,
            server_settings={"application_name": "recsys service",
                             "statement_timeout": str(int(1000 * s.statement_timeout))})
        await self.pool

    async def stop(self):
        if self.pool is not None:
            try:
                await asyncio.wait_for(self.pool.close(), 2)
            except (asyncio.TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                self.pool.terminate()

    async def _acquire(self):
        if self.waiting >= self.settings.pool_size:
            raise Busy(503, "too many requests are waiting for the database", retry_after=RETRY_AFTER)
        self.waiting += 1
        try:
            return await self.pool.acquire(timeout=self.settings.pool_wait + self.settings.connect_timeout
                                           if self.pool.get_idle_size() == 0 else self.settings.pool_wait)
        except asyncio.TimeoutError:
            raise Unreachable("no connection in time") from None
        finally:
            self.waiting -= 1

    async def _release(self, connection, broken):
        """Give it back; what goes wrong in that is no fault of the answer, which is there or is not."""
        try:
            if broken:
                connection.terminate()
        except asyncpg.InterfaceError:
            pass  # the server was first
        try:
            await self.pool.release(connection)
        except (asyncio.TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError,
                asyncpg.InternalClientError) as error:
            log.warning("a connection was given up", extra={"fields": {"error": type(error).__name__}})

    async def fetch(self, role, statement, *values):
        """Rows of one statement, as role (None: as who is connected)."""
        started = time.perf_counter()
        try:
            connection = await self._acquire()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            # Whatever is wrong while a connection is made is wrong with the server or the way to it
            raise Unreachable(type(error).__name__) from error
        broken = True
        try:
            own = connection._con  # None as soon as the server has closed it
            if own is None:
                raise asyncpg.InterfaceError("closed")
            # The server's own statement_timeout ends a statement; this one a server
            # that says nothing any more
            patience = self.settings.statement_timeout + 1
            if own.role != role:
                await asyncio.wait_for(
                    connection.execute("SELECT pg_catalog.set_config('role', $1, false)", role or "none"), patience)
                own.role = role
            rows = await asyncio.wait_for(connection.fetch(statement, *values), patience)
            broken = False
            self.answered = time.monotonic()
            return rows
        except asyncio.TimeoutError:
            raise Unreachable("no answer in time") from None
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError,
                asyncpg.AdminShutdownError, asyncpg.CrashShutdownError) as error:
            raise Unreachable(type(error).__name__) from error
        except asyncpg.PostgresError:
            broken = False  # the server refused a statement: the connection is as before
            raise
        finally:
            await self._release(connection, broken)
            self.metrics.database_seconds.labels(self.name).observe(time.perf_counter() - started)


class Database:
    """Reads go to the replica where there is one, and to the other server where
    one is not there."""

    def __init__(self, settings, metrics):
        self.primary = Pool(settings.database, settings, metrics, "primary")
        self.replica = Pool(settings.replica, settings, metrics, "replica") if settings.replica else None
        self.metrics = metrics

    async def start(self):
        for pool in filter(None, (self.primary, self.replica)):
            await pool.start()

    async def stop(self):
        for pool in filter(None, (self.primary, self.replica)):
            await pool.stop()

    def answered_within(self, seconds):
        """Did a server that may be read answer lately?"""
        since = time.monotonic() - seconds
        return any(pool.answered is not None and pool.answered >= since for pool in (self.primary, self.replica) if pool)

    async def fetch(self, role, statement, *values, fresh=True):
        pools = [self.primary, self.replica]
        if not fresh:
            pools.reverse()
        pools = [pool for pool in pools if pool is not None]
        for pool in pools:
            try:
                return await pool.fetch(role, statement, *values)
            except Unreachable as error:
                self.metrics.database_errors.labels(pool.name, str(error)).inc()
            except asyncpg.PostgresError as error:
                problem = problem_of(error)
                if problem.status == 500:
                    log.error("the database refused a statement", extra={"fields": {
                        "request_id": request_id.get(), "sqlstate": error.sqlstate, "error": str(error)}})
                raise problem from error
        raise Problem(503, "the database does not answer", retry_after=RETRY_AFTER)


def problem_of(error):
    """What a client is told.  Messages of data errors come from the functions
    called and name values of the request; those of other classes may name objects
    of the database, so they are not passed on."""
    state = error.sqlstate or ""
    if state == "57014":
        return Problem(503, "the answer took too long", retry_after=RETRY_AFTER)
    if state == "42501":
        return Problem(403, "this caller may not read what the answer is made of")
    if state == "42704":
        return Problem(404, "there is no such model, or none for this caller")
    if state == "55000":
        return Problem(503, "the model is not ready: it has not been trained yet, or a model must be named",
                       retry_after=30)
    if state == "P0002":
        return Problem(404, "there is no such version of the model")
    if state == "42804":
        return Problem(422, "ids or features are not of the type that the model has")
    if state[:2] == "22":
        return Problem(422, error.args[0].split("\n")[0] if error.args else "a value is out of range")
    if state[:2] in ("53", "57", "58") or state in ("25006", "40001", "40P01"):
        return Problem(503, "the database cannot answer now", retry_after=RETRY_AFTER)
    return Problem(500, "the database refused the question; the log has the reason under this request's id")

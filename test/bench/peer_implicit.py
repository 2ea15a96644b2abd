"""
The package `implicit` on the pairs of the benchmark: fit seconds, NDCG@10.

    peer_implicit.py TRAIN.csv TEST.csv FACTORS ITERATIONS THREADS ALPHA REGULARIZATION

Prints: seconds<TAB>ndcg<TAB>p50 of recommend in ms.  Weights are alpha, so
that an event weighs alpha and what was not seen 1 (this package subtracts 1
from the weight it is given).
"""
import math
import statistics
import sys
import time

import implicit
import numpy
import scipy.sparse

train, test = (numpy.loadtxt(name, delimiter=",", dtype=numpy.int64) for name in sys.argv[1:3])
factors, iterations, threads = map(int, sys.argv[3:6])
alpha, regularization = map(float, sys.argv[6:8])

weights = numpy.full(len(train), alpha + 1.0, dtype=numpy.float32)
matrix = scipy.sparse.csr_matrix((weights, (train[:, 0], train[:, 1])))
model = implicit.als.AlternatingLeastSquares(
    factors=factors, regularization=regularization, iterations=iterations,
    num_threads=threads, random_state=1)
began = time.perf_counter()
model.fit(matrix, show_progress=False)
seconds = time.perf_counter() - began

gain = 0.0
latencies = []
for user, item in test:
    began = time.perf_counter()
    found, _ = model.recommend(user, matrix[user], N=10, filter_already_liked_items=True)
    latencies.append(time.perf_counter() - began)
    place = numpy.flatnonzero(found == item)
    if len(place):
        gain += 1.0 / math.log2(place[0] + 2)
print(f"{seconds:.2f}\t{gain / len(test):.4f}\t{1000 * statistics.median(latencies):.3f}")

"""
Record what Spark MLlib's encoders answer: spark_encoders.py OUTPUT.json

Needs pyspark 3.5 and Java 17.  The cases are those where implementations
differ: ties, order of characters beyond the Basic Multilingual Plane, empty
strings, nulls, NaN, unseen categories, constant columns, edges of buckets.
"""
import sys

import pyspark
from pyspark.ml import feature
from pyspark.ml.linalg import Vectors, VectorUDT
from pyspark.sql import SparkSession
from pyspark.sql import types

from cases import Cases

NAN = float("nan")
INF = float("inf")

spark = (SparkSession.builder.master("local[1]")
         .config("spark.ui.enabled", "false")
         .config("spark.sql.shuffle.partitions", "1")
         .config("spark.log.level", "OFF")
         .getOrCreate())
spark.sparkContext.setLogLevel("OFF")
java = spark.sparkContext._jvm.java.lang.System.getProperty("java.version")
record = Cases({"spark": pyspark.__version__, "java": java})


def frame(columns, rows):
    """Rows with their number in "row", so that skipped ones can be told."""
    schema = types.StructType([types.StructField("row", types.IntegerType())] +
                              [types.StructField(name, kind) for name, kind in columns])
    return spark.createDataFrame([(at, *row) for at, row in enumerate(rows)], schema).coalesce(1)


def column(values, kind):
    return frame([("x", kind)], [(value,) for value in values])


def answers(data, count, name="y"):
    """The column in the order of the rows; null for a row that was skipped."""
    found = {row["row"]: row[name] for row in data.select("row", name).collect()}
    return [found.get(at) for at in range(count)]


STRING, DOUBLE, VECTOR = types.StringType(), types.DoubleType(), VectorUDT()

# ---- StringIndexer: expected.labels in order, expected.values an index a row
ORDERS = ("frequencyDesc", "frequencyAsc", "alphabetDesc", "alphabetAsc")


def string_indexer(name, fit, values, order="frequencyDesc", invalid="error"):
    def run():
        model = feature.StringIndexer(inputCol="x", outputCol="y", stringOrderType=order,
                                      handleInvalid=invalid).fit(column(fit, STRING))
        return {"labels": list(model.labels),
                "values": answers(model.transform(column(values, STRING)), len(values))}
    record.add(f"string_indexer {name}", "string_indexer",
               {"order": order, "handle_invalid": invalid}, {"fit": fit, "values": values}, run)


SETS = {
    "plain": ["b", "a", "b", "c", "b", "a"],
    "ties": ["d", "b", "c", "a", "b", "c", "a", "d"],
    "case": ["b", "B", "a", "A", "\u00e9", "e", "E", "_", "1", "10", "9", " a"],
    "empty strings": ["", "x", "", " ", "x", "", "\t"],
    "nulls": ["x", None, "y", None, None, "y"],
    # UTF-16 order: the astral U+1F600 and U+10400 come before U+E000 and U+FF5E
    "astral": ["\U0001F600", "\uFF5E", "\uE000", "z", "\U00010400", "\uFFFD"],
    # the same letter composed and decomposed is two categories; none is normalised
    "combining": ["\u00e9", "e\u0301", "e", "\u00e9", "e\u0301", "\u1e69", "s\u0323\u0307", "s\u0307\u0323"],
    "scripts": ["\u4e2d\u6587", "\u0440\u0443\u0441\u0441\u043a\u0438\u0439", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
                "\u65e5\u672c\u8a9e", "\ud55c\uad6d\uc5b4", "\u4e2d\u6587", "stra\u00dfe", "strasse", "STRASSE"],
    "emoji sequences": ["\U0001F469\u200D\U0001F4BB", "\U0001F469", "\u200D", "\U0001F1E9\U0001F1EA", "\U0001F1E9", "\U0001F469"],
    "one": ["only"],
    "quotes": ["a\"b", "a\\b", "a'b", "a,b", "{a}", "a\nb", "a\u00a0b", "NULL", "null", "NaN"],
    "prefixes": ["aaa", "aa", "a", "aab", "ab", "aaa"],
}
for name, values in SETS.items():
    for order in ORDERS:
        known = [value for value in values if value is not None]
        string_indexer(f"{name} {order}", values, known, order)
for invalid in ("error", "keep", "skip"):
    string_indexer(f"unseen {invalid}", ["a", "b", "a"], ["b", "new", "a", "other"], invalid=invalid)
    string_indexer(f"null at transform {invalid}", ["a", "b", "a"], ["b", None, "a"], invalid=invalid)
    string_indexer(f"null in fit {invalid}", ["a", None, "b", "b", None, None], ["b", "a"], invalid=invalid)
    string_indexer(f"empty string unseen {invalid}", ["a", "b", "a"], ["", " ", "a"], invalid=invalid)
    string_indexer(f"all null {invalid}", [None, None], [None], invalid=invalid)
    string_indexer(f"fit on nothing {invalid}", [], ["a"], invalid=invalid)
    string_indexer(f"case is not folded {invalid}", ["M", "F", "M"], ["m", "M"], invalid=invalid)
    string_indexer(f"not normalised {invalid}", ["\u00e9"], ["e\u0301", "\u00e9"], invalid=invalid)

# ---- OneHotEncoder: a vector a row; the categories are 0 to the largest of fit


def one_hot(name, fit, values, drop_last=True, invalid="error"):
    def run():
        model = feature.OneHotEncoder(inputCols=["x"], outputCols=["y"], dropLast=drop_last,
                                      handleInvalid=invalid).fit(column(fit, DOUBLE))
        return {"categories": model.categorySizes[0],
                "values": answers(model.transform(column(values, DOUBLE)), len(values))}
    record.add(f"one_hot {name}", "one_hot", {"drop_last": drop_last, "handle_invalid": invalid},
               {"fit": fit, "values": values}, run)


for drop_last in (True, False):
    for invalid in ("error", "keep"):
        how = f"{'drop last' if drop_last else 'keep last'} {invalid}"
        one_hot(f"three {how}", [0.0, 1.0, 2.0], [0.0, 1.0, 2.0], drop_last, invalid)
        one_hot(f"gap {how}", [0.0, 3.0], [0.0, 1.0, 2.0, 3.0], drop_last, invalid)
        one_hot(f"one category {how}", [0.0, 0.0], [0.0], drop_last, invalid)
        one_hot(f"out of range {how}", [0.0, 1.0, 2.0], [1.0, 3.0, 100.0], drop_last, invalid)
        one_hot(f"negative {how}", [0.0, 1.0], [-1.0], drop_last, invalid)
        one_hot(f"null {how}", [0.0, 1.0], [1.0, None], drop_last, invalid)
        one_hot(f"fraction {how}", [0.0, 1.5], [1.5], drop_last, invalid)
        one_hot(f"NaN {how}", [0.0, 1.0], [NAN], drop_last, invalid)


# ---- StringIndexer then OneHotEncoder, the usual pair
def indexed_one_hot(name, fit, values, drop_last, index_invalid, hot_invalid):
    def run():
        indexer = feature.StringIndexer(inputCol="x", outputCol="i", handleInvalid=index_invalid)
        fitted = indexer.fit(column(fit, STRING))
        hot = feature.OneHotEncoder(inputCols=["i"], outputCols=["y"], dropLast=drop_last,
                                    handleInvalid=hot_invalid).fit(fitted.transform(column(fit, STRING)))
        return {"values": answers(hot.transform(fitted.transform(column(values, STRING))), len(values))}
    record.add(f"indexed_one_hot {name}", "indexed_one_hot",
               {"drop_last": drop_last, "index_handle_invalid": index_invalid, "handle_invalid": hot_invalid},
               {"fit": fit, "values": values}, run)


for drop_last in (True, False):
    for index_invalid in ("error", "keep", "skip"):
        for hot_invalid in ("error", "keep"):
            how = f"{'drop last' if drop_last else 'keep last'}, index {index_invalid}, one-hot {hot_invalid}"
            indexed_one_hot(f"known, {how}", ["M", "F", "M", "X"], ["X", "F", "M"], drop_last, index_invalid, hot_invalid)
            indexed_one_hot(f"unseen, {how}", ["M", "F", "M", "X"], ["X", "new", None, "M"], drop_last,
                            index_invalid, hot_invalid)


# ---- VectorAssembler: rows of numbers and vectors put one behind the other
def vector_assembler(name, kinds, rows, invalid="error"):
    def run():
        columns = [(f"c{at}", VECTOR if kind else DOUBLE) for at, kind in enumerate(kinds)]
        data = frame(columns, [tuple(Vectors.dense(v) if isinstance(v, list) else v for v in row) for row in rows])
        for at, size in enumerate(kinds):
            if size and invalid == "keep":  # Spark wants to be told how long a vector is
                data = feature.VectorSizeHint(inputCol=f"c{at}", size=size, handleInvalid="optimistic").transform(data)
        assembler = feature.VectorAssembler(inputCols=[column[0] for column in columns], outputCol="y",
                                            handleInvalid=invalid)
        return {"values": answers(assembler.transform(data), len(rows))}
    record.add(f"vector_assembler {name}", "vector_assembler", {"vector_sizes": kinds, "handle_invalid": invalid},
               {"rows": rows}, run)


for invalid in ("error", "keep", "skip"):
    vector_assembler(f"numbers {invalid}", [0, 0, 0], [[1.0, 2.5, -3.0], [0.0, 0.0, 0.0]], invalid)
    vector_assembler(f"numbers and vectors {invalid}", [0, 3, 0, 2],
                     [[1.0, [0.0, 1.0, 0.0], 7.5, [2.0, 3.0]], [-1.0, [1.0, 0.0, 0.0], 0.0, [0.0, 0.0]]], invalid)
    vector_assembler(f"null number {invalid}", [0, 0], [[1.0, 2.0], [None, 3.0], [4.0, None]], invalid)
    vector_assembler(f"NaN {invalid}", [0, 0], [[1.0, NAN], [NAN, NAN]], invalid)
    vector_assembler(f"infinite {invalid}", [0, 0], [[1.0, INF], [-INF, 2.0]], invalid)
    vector_assembler(f"null vector {invalid}", [0, 2], [[1.0, [2.0, 3.0]], [1.0, None]], invalid)
    vector_assembler(f"one column {invalid}", [0], [[5.0]], invalid)


# ---- Imputer: what stands for the missing, and the column with it
def imputer(name, fit, values, strategy, missing=NAN):
    def run():
        model = feature.Imputer(inputCols=["x"], outputCols=["y"], strategy=strategy,
                                missingValue=missing).fit(column(fit, DOUBLE))
        return {"surrogate": model.surrogateDF.first()["x"],
                "values": answers(model.transform(column(values, DOUBLE)), len(values))}
    record.add(f"imputer {name}", "imputer", {"strategy": strategy, "missing_value": missing},
               {"fit": fit, "values": values}, run)


for strategy in ("mean", "median", "mode"):
    imputer(f"{strategy} null and NaN", [1.0, 2.0, None, 4.0, NAN, 4.0], [1.0, None, NAN, 3.0], strategy)
    imputer(f"{strategy} even count", [1.0, 2.0, 3.0, 10.0], [None, 2.0], strategy)
    imputer(f"{strategy} odd count", [5.0, 1.0, 3.0], [None], strategy)
    imputer(f"{strategy} ties", [3.0, 1.0, 2.0, 1.0, 2.0, 3.0], [None], strategy)
    imputer(f"{strategy} one value", [7.0, None], [None, 8.0], strategy)
    imputer(f"{strategy} missing is -1", [-1.0, 2.0, 6.0, -1.0, 6.0, 20.0], [-1.0, None, 2.0], strategy, -1.0)
    imputer(f"{strategy} missing is -1, NaN in fit", [-1.0, 2.0, NAN, 6.0], [-1.0, NAN, 2.0], strategy, -1.0)
    imputer(f"{strategy} all missing", [None, NAN], [None, 1.0], strategy)
    imputer(f"{strategy} negative and large", [-1e12, 1e12, 0.1, 0.2], [None], strategy)


# ---- the scalers: their parameters, and the vectors scaled
def scaler(kind, name, options, make, parameters, fit, values=None):
    values = fit if values is None else values

    def rows(data):
        return column([Vectors.dense(row) for row in data], VECTOR)

    def run():
        model = make().setInputCol("x").setOutputCol("y").fit(rows(fit))
        found = {name: getattr(model, name) for name in parameters}
        found["values"] = answers(model.transform(rows(values)), len(values))
        return found
    record.add(f"{kind} {name}", kind, options, {"fit": fit, "values": values}, run)


TABLES = {
    "two columns": [[1.0, 10.0], [2.0, 20.0], [3.0, 60.0], [6.0, 10.0]],
    "constant column": [[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]],
    "constant zero": [[0.0], [0.0]],
    "one row": [[3.0, -4.0]],
    "negative": [[-1.5, 2.0], [-2.5, 0.0], [4.0, -8.0], [0.25, 1.0], [9.0, 1.0]],
    "large offset": [[1e9 + 1], [1e9 + 2], [1e9 + 3], [1e9 + 4]],
    "outlier": [[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0], [9.0], [1000.0]],
}
for name, table in TABLES.items():
    for with_mean in (False, True):
        for with_std in (False, True):
            scaler("standard_scaler", f"{name}, mean {with_mean}, std {with_std}",
                   {"with_mean": with_mean, "with_std": with_std},
                   lambda: feature.StandardScaler(withMean=with_mean, withStd=with_std), ("mean", "std"), table)
    for low, high in ((0.0, 1.0), (-1.0, 1.0), (5.0, 9.0)):
        scaler("min_max_scaler", f"{name}, {low:g} to {high:g}", {"min": low, "max": high},
               lambda: feature.MinMaxScaler(min=low, max=high), ("originalMin", "originalMax"), table)
    scaler("max_abs_scaler", name, {}, feature.MaxAbsScaler, ("maxAbs",), table)
    for centering, scaling in ((False, True), (True, True), (True, False)):
        scaler("robust_scaler", f"{name}, centering {centering}, scaling {scaling}",
               {"with_centering": centering, "with_scaling": scaling, "lower": 0.25, "upper": 0.75},
               lambda: feature.RobustScaler(withCentering=centering, withScaling=scaling), ("median", "range"), table)
scaler("robust_scaler", "0.1 to 0.9", {"with_centering": True, "with_scaling": True, "lower": 0.1, "upper": 0.9},
       lambda: feature.RobustScaler(withCentering=True, lower=0.1, upper=0.9), ("median", "range"), TABLES["outlier"])
scaler("min_max_scaler", "beyond what was seen", {"min": 0.0, "max": 1.0}, feature.MinMaxScaler,
       ("originalMin", "originalMax"), [[0.0], [10.0]], [[-5.0], [15.0], [5.0]])
scaler("min_max_scaler", "constant, another value", {"min": 0.0, "max": 1.0}, feature.MinMaxScaler,
       ("originalMin", "originalMax"), [[5.0], [5.0]], [[4.0], [5.0], [6.0]])
scaler("standard_scaler", "NaN in fit", {"with_mean": True, "with_std": True},
       lambda: feature.StandardScaler(withMean=True), ("mean", "std"), [[1.0], [NAN], [3.0]])
scaler("robust_scaler", "NaN in fit", {"with_centering": True, "with_scaling": True, "lower": 0.25, "upper": 0.75},
       lambda: feature.RobustScaler(withCentering=True), ("median", "range"), [[1.0], [NAN], [3.0], [9.0]])


# ---- Bucketizer and QuantileDiscretizer: a bucket a row
def bucketizer(name, splits, values, invalid="error"):
    def run():
        model = feature.Bucketizer(splits=splits, inputCol="x", outputCol="y", handleInvalid=invalid)
        return {"values": answers(model.transform(column(values, DOUBLE)), len(values))}
    record.add(f"bucketizer {name}", "bucketizer", {"splits": splits, "handle_invalid": invalid},
               {"values": values}, run)


OPEN = [-INF, 18.0, 35.0, 50.0, INF]
bucketizer("open", OPEN, [-INF, -1e300, 17.999, 18.0, 34.999, 35.0, 50.0, 1e300, INF])
bucketizer("closed edges", [0.0, 10.0, 20.0], [0.0, 9.999, 10.0, 20.0])
bucketizer("negative zero", [-1.0, 0.0, 1.0], [-0.0, 0.0])
for invalid in ("error", "keep", "skip"):
    bucketizer(f"below {invalid}", [0.0, 10.0, 20.0], [-0.001], invalid)
    bucketizer(f"above {invalid}", [0.0, 10.0, 20.0], [20.001], invalid)
    bucketizer(f"null {invalid}", OPEN, [20.0, None, 40.0], invalid)
    bucketizer(f"NaN {invalid}", OPEN, [20.0, NAN, 40.0], invalid)
bucketizer("two splits", [0.0, 1.0], [0.5])
bucketizer("splits out of order", [0.0, 2.0, 1.0], [0.5])
bucketizer("equal splits", [0.0, 1.0, 1.0, 2.0], [1.0])


def quantile_discretizer(name, fit, buckets, values=None, invalid="error"):
    values = fit if values is None else values

    def run():
        model = feature.QuantileDiscretizer(numBuckets=buckets, relativeError=0.0, inputCol="x", outputCol="y",
                                            handleInvalid=invalid).fit(column(fit, DOUBLE))
        return {"splits": model.getSplits(),
                "values": answers(model.transform(column(values, DOUBLE)), len(values))}
    record.add(f"quantile_discretizer {name}", "quantile_discretizer",
               {"buckets": buckets, "handle_invalid": invalid}, {"fit": fit, "values": values}, run)


TEN = [float(value) for value in range(1, 11)]
for buckets in (2, 3, 4, 5, 10):
    quantile_discretizer(f"ten values, {buckets}", TEN, buckets)
quantile_discretizer("beyond what was seen", TEN, 4, [-100.0, 3.0, 3.5, 100.0])
quantile_discretizer("ties", [1.0, 1.0, 1.0, 1.0, 2.0, 3.0], 4)
quantile_discretizer("constant", [5.0, 5.0, 5.0], 3)
quantile_discretizer("fewer values than buckets", [1.0, 2.0], 5)
for invalid in ("error", "keep", "skip"):
    quantile_discretizer(f"NaN {invalid}", [1.0, 2.0, NAN, 3.0, 4.0], 2, invalid=invalid)


# ---- hashing: MurmurHash3 x86 32 of the UTF-8 bytes, seed 42, modulo the width
def hashing_tf(name, width, documents, binary=False):
    def run():
        model = feature.HashingTF(inputCol="x", outputCol="y", numFeatures=width, binary=binary)
        data = column(documents, types.ArrayType(STRING))
        return {"values": [{str(at): value for at, value in zip(row.indices.tolist(), row.values.tolist())}
                           for row in answers(model.transform(data), len(documents))]}
    record.add(f"hashing_tf {name}", "hashing_tf", {"num_features": width, "binary": binary},
               {"documents": documents}, run)


WORDS = ["a", "ab", "abc", "abcd", "abcde", "", " ", "\u00e9", "e\u0301", "\u4e2d\u6587", "\U0001F600",
         "The quick brown fox jumps over the lazy dog", "0", "-1", "user=1"]
hashing_tf("one word each", 262144, [[word] for word in WORDS])
hashing_tf("narrow", 7, [[word] for word in WORDS])
hashing_tf("counts", 16, [["a", "b", "a"], [], ["a", "a", "a"]])
hashing_tf("binary", 16, [["a", "b", "a"], [], ["a", "a", "a"]], True)


def feature_hasher(name, width, columns, rows, categorical=()):
    kinds = {"number": DOUBLE, "text": STRING, "boolean": types.BooleanType()}

    def run():
        data = frame([(column, kinds[kind]) for column, kind in columns], [tuple(row) for row in rows])
        model = feature.FeatureHasher(inputCols=[column for column, _ in columns], outputCol="y",
                                      numFeatures=width, categoricalCols=list(categorical))
        return {"values": [{str(at): value for at, value in zip(row.indices.tolist(), row.values.tolist())}
                           for row in answers(model.transform(data), len(rows))]}
    record.add(f"feature_hasher {name}", "feature_hasher",
               {"num_features": width, "columns": [list(column) for column in columns],
                "categorical": list(categorical)}, {"rows": rows}, run)


feature_hasher("text", 262144, [("city", "text")], [[word] for word in WORDS])
feature_hasher("text, narrow", 10, [("city", "text")], [[word] for word in WORDS])
feature_hasher("number", 262144, [("age", "number")], [[3.5], [0.0], [-2.0], [1e10]])
feature_hasher("number as category", 262144, [("age", "number")], [[3.5], [0.0], [-2.0], [30.0], [1e10]], ["age"])
feature_hasher("boolean", 262144, [("member", "boolean")], [[True], [False]])
feature_hasher("mixed", 64, [("age", "number"), ("member", "boolean"), ("city", "text")],
               [[2.2, True, "1"], [3.3, False, "2"], [4.4, False, "3"], [5.5, False, "foo"]])
feature_hasher("null", 64, [("age", "number"), ("city", "text")], [[None, "a"], [1.0, None], [None, None]])


# ---- several classes in one value: a vocabulary by frequency, a 1 for each of its words there
def count_vectorizer(name, fit, values, size, minimum=1.0):
    def run():
        model = feature.CountVectorizer(inputCol="x", outputCol="y", vocabSize=size, minDF=minimum,
                                        binary=True).fit(column(fit, types.ArrayType(STRING)))
        return {"vocabulary": list(model.vocabulary),
                "values": answers(model.transform(column(values, types.ArrayType(STRING))), len(values))}
    record.add(f"count_vectorizer {name}", "count_vectorizer", {"vocabulary_size": size, "min_df": minimum, "binary": True},
               {"fit": fit, "values": values}, run)


GENRES = [["Drama"], ["Drama", "Comedy"], ["Drama", "Comedy", "Action"], ["Drama", "Drama"]]
count_vectorizer("genres", GENRES, [["Action", "Drama"], [], ["Western"], ["Comedy", "Comedy"]], 10)
count_vectorizer("two most frequent", GENRES, [["Action", "Drama"]], 2)
count_vectorizer("in two documents at least", GENRES, [["Action", "Drama"]], 10, 2.0)

record.write(sys.argv[1])
spark.stop()

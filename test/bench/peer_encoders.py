"""
Encoders of scikit-learn and Spark on the rows of the benchmark: rows/s.

    peer_encoders.py ROWS.csv sklearn|spark THREADS

ROWS.csv has age (a number, some empty), kind (3 categories) and city (1,000).
The pipeline: age imputed by its mean and scaled, kind one-hot, city as an
index by frequency; into vectors of float.  Prints rows/s of
fitting<TAB>encoding<TAB>both, from data in memory; the first of three passes,
where all is loaded and compiled, is not counted, the better of the others is.
"""
import sys
import time

import pandas

path, peer, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows = pandas.read_csv(path, names=["age", "kind", "city"], dtype={"age": float, "kind": str, "city": str})


def sklearn_passes():
    import numpy
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
    while True:
        pipeline = ColumnTransformer([
            ("age", make_pipeline(SimpleImputer(), StandardScaler()), ["age"]),
            ("kind", OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=numpy.float32), ["kind"]),
            ("city", OrdinalEncoder(dtype=numpy.float32), ["city"])])
        began = time.perf_counter()
        pipeline.fit(rows)
        fitted = time.perf_counter()
        encoded = pipeline.transform(rows).astype(numpy.float32)
        ended = time.perf_counter()
        assert encoded.shape == (len(rows), 5)
        yield fitted - began, ended - fitted


def spark_passes():
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import Imputer, OneHotEncoder, StandardScaler, StringIndexer, VectorAssembler
    from pyspark.sql import SparkSession
    spark = (SparkSession.builder.master(f"local[{threads}]").config("spark.ui.enabled", "false")
             .config("spark.driver.memory", "4g").config("spark.sql.shuffle.partitions", str(threads))
             .getOrCreate())
    spark.sparkContext.setLogLevel("OFF")
    data = spark.read.csv(path, schema="age double, kind string, city string").repartition(threads).cache()
    data.count()
    pipeline = Pipeline(stages=[
        Imputer(inputCols=["age"], outputCols=["age_filled"]),
        VectorAssembler(inputCols=["age_filled"], outputCol="age_vector"),
        StandardScaler(inputCol="age_vector", outputCol="age_scaled", withMean=True),
        StringIndexer(inputCols=["kind", "city"], outputCols=["kind_index", "city_index"]),
        OneHotEncoder(inputCols=["kind_index"], outputCols=["kind_hot"]),
        VectorAssembler(inputCols=["age_scaled", "kind_hot", "city_index"], outputCol="features")])
    while True:
        began = time.perf_counter()
        model = pipeline.fit(data)
        fitted = time.perf_counter()
        model.transform(data).select("features").write.format("noop").mode("overwrite").save()
        yield fitted - began, time.perf_counter() - fitted


passes = sklearn_passes() if peer == "sklearn" else spark_passes()
next(passes)
fit, encode = min((next(passes) for _ in range(2)), key=sum)
print(f"{len(rows) / fit:.0f}\t{len(rows) / encode:.0f}\t{len(rows) / (fit + encode):.0f}")

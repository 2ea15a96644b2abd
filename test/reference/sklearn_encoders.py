"""
Record what scikit-learn's encoders answer where Spark has no such thing, or
another answer: sklearn_encoders.py OUTPUT.json
"""
import sys
import warnings

import numpy
import sklearn
from sklearn import impute, preprocessing

from cases import Cases

NAN = float("nan")
record = Cases({"scikit-learn": sklearn.__version__, "numpy": numpy.__version__})
warnings.simplefilter("ignore")


def fitted(kind, name, options, transformer, attributes, fit, values=None, cast=float):
    """Record attributes of the fitted transformer and the rows that it gives."""
    values = fit if values is None else values

    def rows(table):
        return table if cast is list else numpy.array(table, dtype=cast)

    def run():
        transformer.fit(rows(fit))
        answer = {to: getattr(transformer, of) for to, of in attributes.items()}
        answer["values"] = transformer.transform(rows(values))
        return answer
    record.add(f"{kind} {name}", kind, options, {"fit": fit, "values": values}, run)


# ---- MultiLabelBinarizer: classes in order of code points
GENRES = [["Drama"], ["Drama", "Comedy"], ["Action", "Drama", "Comedy"], ["Drama", "Drama"], []]
for name, fit, values in (
        ("genres", GENRES, None),
        ("empty list", GENRES, [[], ["Action"]]),
        ("unseen is left out", GENRES, [["Western", "Drama"], ["Western"]]),
        ("twice counts once", GENRES, [["Comedy", "Comedy"]]),
        ("case and empty string", [["a", "A", ""], ["", "b"]], None),
        ("code points", [["\uFF5E", "\U0001F600", "z", "\u00e9", "e\u0301"]], None),
        ("one class", [["x"], ["x"]], [["x"], []])):
    fitted("multi_label_binarizer", name, {}, preprocessing.MultiLabelBinarizer(), {"classes": "classes_"},
           fit, values, cast=list)

# ---- OneHotEncoder(handle_unknown="ignore"): an unknown category is all zeros
COLORS = [["red"], ["green"], ["blue"], ["red"]]
for unknown in ("ignore", "error"):
    for drop in (None, "first", "if_binary"):
        def encoder():
            return preprocessing.OneHotEncoder(handle_unknown=unknown, drop=drop, sparse_output=False)
        how = f"{unknown}, drop {drop}"
        options = {"handle_unknown": unknown, "drop": drop}
        fitted("sklearn_one_hot", f"known, {how}", options, encoder(), {"categories": "categories_"}, COLORS, cast=object)
        fitted("sklearn_one_hot", f"unknown, {how}", options, encoder(), {"categories": "categories_"}, COLORS,
               [["red"], ["violet"], [""]], cast=object)
        fitted("sklearn_one_hot", f"two categories, {how}", options, encoder(), {"categories": "categories_"},
               [["M"], ["F"]], [["F"], ["M"]], cast=object)
fitted("sklearn_one_hot", "rare, at least 2, infrequent", {"handle_unknown": "infrequent_if_exist", "min_frequency": 2},
       preprocessing.OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2, sparse_output=False),
       {"categories": "categories_", "infrequent": "infrequent_categories_"},
       [["a"], ["a"], ["b"], ["b"], ["c"], ["d"]], [["a"], ["c"], ["new"]], cast=object)

# ---- OrdinalEncoder: alphabetical; -1 or NaN for what is unknown or missing
fitted("ordinal_encoder", "alphabetical", {"handle_unknown": "error"}, preprocessing.OrdinalEncoder(),
       {"categories": "categories_"}, COLORS, cast=object)
fitted("ordinal_encoder", "unknown is -1", {"handle_unknown": "use_encoded_value", "unknown_value": -1},
       preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
       {"categories": "categories_"}, COLORS, [["violet"], ["blue"]], cast=object)

# ---- KBinsDiscretizer
TABLES = {
    "ten values": [[float(value)] for value in range(1, 11)],
    "ties": [[1.0], [1.0], [1.0], [1.0], [2.0], [3.0], [10.0]],
    "negative": [[-5.0], [-1.0], [0.0], [2.5], [100.0]],
    "constant": [[5.0], [5.0], [5.0]],
}
for name, table in TABLES.items():
    for strategy in ("uniform", "quantile"):
        for bins in (2, 3, 5):
            quantile = {"quantile_method": "linear"} if strategy == "quantile" else {}
            fitted("k_bins_discretizer", f"{name}, {strategy}, {bins}", {"strategy": strategy, "bins": bins},
                   preprocessing.KBinsDiscretizer(n_bins=bins, encode="ordinal", strategy=strategy,
                                                  subsample=None, **quantile),
                   {"edges": "bin_edges_"}, table, [[-1000.0], [1.0], [2.5], [5.0], [7.3], [1000.0]])

# ---- SimpleImputer
MISSING = [[1.0], [NAN], [2.0], [4.0], [4.0], [10.0]]
for strategy in ("mean", "median", "most_frequent"):
    fitted("simple_imputer", strategy, {"strategy": strategy}, impute.SimpleImputer(strategy=strategy),
           {"statistics": "statistics_"}, MISSING)
    fitted("simple_imputer", f"{strategy}, ties", {"strategy": strategy}, impute.SimpleImputer(strategy=strategy),
           {"statistics": "statistics_"}, [[3.0], [1.0], [3.0], [1.0], [2.0], [NAN]])
fitted("simple_imputer", "constant", {"strategy": "constant", "fill_value": -7},
       impute.SimpleImputer(strategy="constant", fill_value=-7), {"statistics": "statistics_"}, MISSING)
fitted("simple_imputer", "indicator", {"strategy": "mean", "add_indicator": True},
       impute.SimpleImputer(strategy="mean", add_indicator=True), {"statistics": "statistics_"}, MISSING)
fitted("simple_imputer", "text, most frequent", {"strategy": "most_frequent"},
       impute.SimpleImputer(strategy="most_frequent", missing_values=None), {"statistics": "statistics_"},
       [["F"], ["M"], [None], ["F"]], cast=object)

# ---- scalers: scikit-learn's standard deviation divides by n, Spark's by n - 1
SCALED = {
    "two columns": [[1.0, 10.0], [2.0, 20.0], [3.0, 60.0], [6.0, 10.0]],
    "constant column": [[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]],
    "outlier": [[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0], [9.0], [1000.0]],
    "missing": [[1.0], [NAN], [3.0], [9.0]],
    "one row": [[3.0, -4.0]],
}
for name, table in SCALED.items():
    fitted("sklearn_standard_scaler", name, {}, preprocessing.StandardScaler(), {"mean": "mean_", "scale": "scale_"}, table)
    fitted("sklearn_robust_scaler", name, {"lower": 25, "upper": 75}, preprocessing.RobustScaler(),
           {"center": "center_", "scale": "scale_"}, table)
    fitted("sklearn_min_max_scaler", name, {"min": 0, "max": 1}, preprocessing.MinMaxScaler(),
           {"data_min": "data_min_", "data_max": "data_max_"}, table)
fitted("sklearn_min_max_scaler", "clip", {"min": 0, "max": 1, "clip": True}, preprocessing.MinMaxScaler(clip=True),
       {"data_min": "data_min_", "data_max": "data_max_"}, [[0.0], [10.0]], [[-5.0], [15.0], [5.0]])
fitted("log1p", "values", {}, preprocessing.FunctionTransformer(numpy.log1p), {}, [[0.0], [1.0], [1e-9], [1e6], [-0.5]])

record.write(sys.argv[1])

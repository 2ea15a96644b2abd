"""
What other programs do with a model of algorithm mlp, by numpy and the package
safetensors alone.

    safetensors_mlp.py score MODEL < QUESTIONS      scores of all items
    safetensors_mlp.py put TEMPLATE WEIGHTS OUT     another network's weights

A question is a line of JSON, {"features": [..], "items": [..]}; the answer a line
{"id": score, ..}.  put takes the file of a model with the same layers and
items, and gives it the tensors of a JSON object by their names.
"""
import json
import sys

import numpy
import safetensors
import safetensors.numpy


def score(path):
    tensors = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, "numpy") as file:
        options = json.loads(file.metadata()["options"])
    activation = {"relu": lambda x: numpy.maximum(x, 0), "tanh": numpy.tanh,
                  "sigmoid": lambda x: 1 / (1 + numpy.exp(-x))}[options["activation"]]
    ids = tensors["item_ids"].tolist()
    for line in sys.stdin:
        question = json.loads(line)
        x = numpy.array(question["features"], dtype=numpy.float32)
        if options["history"] > 0:
            places = [ids.index(item) for item in question["items"]]
            mean = tensors["history.weight"][places].mean(0) if places else numpy.zeros(options["history"])
            x = numpy.concatenate([x, mean])
        for layer in range(len(options["hidden"])):
            x = activation(tensors[f"layers.{layer}.weight"] @ x + tensors[f"layers.{layer}.bias"])
        output = tensors["item_factors"][tensors["item_factors.rows"]]  # by id
        scores = output[:, :-1] @ x + output[:, -1]
        print(json.dumps(dict(zip(ids, scores.tolist()))))


def put(template, weights, out):
    tensors = safetensors.numpy.load_file(template)
    with safetensors.safe_open(template, "numpy") as file:
        metadata = file.metadata()
    with open(weights) as file:
        given = {name: numpy.array(values, dtype=numpy.float32) for name, values in json.load(file).items()}
    output = numpy.column_stack([given.pop("output.weight"), given.pop("output.bias")])
    norms = numpy.linalg.norm(output.astype(numpy.float64), axis=1).astype(numpy.float32)
    items = numpy.argsort(-norms, kind="stable").astype(numpy.int32)
    given |= {"item_factors": output[items], "item_factors.norms": norms[items], "item_factors.items": items,
              "item_factors.rows": numpy.argsort(items).astype(numpy.int32)}
    for name, values in given.items():
        assert tensors[name].shape == values.shape, name
        tensors[name] = values
    safetensors.numpy.save_file(tensors, out, metadata)


{"score": score, "put": put}[sys.argv[1]](*sys.argv[2:])

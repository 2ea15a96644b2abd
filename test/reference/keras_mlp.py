"""
Record how Keras trains small networks from given weights:
keras_mlp.py OUTPUT.json

One event a sample: features in, a score for every item out, softmax
cross-entropy, the mean over a mini-batch, Adam.  No sample is shuffled, so
that the batches of every epoch are known: rows 0 to batch_size - 1 first.
Weights are in PyTorch's layout, [out][in].  loss_batches has the loss of each
mini-batch before its step; loss_epochs their mean weighted by samples, which is
what Keras prints.  Numbers are rounded to float's nine digits where they are
floats.
"""
import json
import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import keras
import numpy
import tensorflow

keras.utils.set_random_seed(1)
tensorflow.config.experimental.enable_op_determinism()


def plain(array):
    """float's shortest digits, as nested lists"""
    array = numpy.asarray(array, dtype=numpy.float32)
    if array.ndim == 0:
        return float(str(array))
    return [plain(row) for row in array]


def network(name, widths, activation, items, samples, batch, epochs, rate, decay, seed):
    draw = numpy.random.default_rng(seed)
    features = draw.standard_normal((samples, widths[0])).round(3).astype(numpy.float32)
    targets = draw.integers(0, items, samples)
    shapes = list(zip(widths, widths[1:] + [items]))
    weights = []
    for inputs, outputs in shapes:
        bound = (6 / (inputs + outputs)) ** 0.5
        weights.append((draw.uniform(-bound, bound, (inputs, outputs)).round(4).astype(numpy.float32),
                        draw.uniform(-0.1, 0.1, outputs).round(4).astype(numpy.float32)))
    layers = [keras.layers.Dense(width, activation=activation) for width in widths[1:]]
    model = keras.Sequential([keras.Input((widths[0],)), *layers, keras.layers.Dense(items)])
    for layer, pair in zip(model.layers, weights):
        layer.set_weights(pair)
    chosen = {"learning_rate": rate, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
    if decay:
        optimizer = keras.optimizers.AdamW(weight_decay=decay, **chosen)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    else:
        optimizer = keras.optimizers.Adam(**chosen)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    class Losses(keras.callbacks.Callback):
        """The loss of the next mini-batch, from the weights as they are before its step"""
        batches = []

        def on_train_batch_begin(self, at, logs=None):
            rows = slice(at * batch, (at + 1) * batch)
            self.batches.append(float(cross_entropy(targets[rows], model(features[rows]))))

    losses = Losses()
    losses.batches = []
    history = model.fit(features, targets, batch_size=batch, epochs=epochs, shuffle=False, verbose=0,
                        callbacks=[losses])
    # PyTorch's layout: transpose what Keras keeps as [in][out]
    layout = [(numpy.transpose(kernel), bias) for kernel, bias in weights]
    final = [(numpy.transpose(kernel), bias) for kernel, bias in (layer.get_weights() for layer in model.layers)]
    names = [f"layers.{at}" for at in range(len(layers))] + ["output"]
    per_epoch = -(-samples // batch)
    record = {
        "name": name,
        "options": {"hidden": widths[1:], "activation": activation, "epochs": epochs, "batch_size": batch,
                    "learning_rate": rate, "weight_decay": decay, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
                    "shuffle": False, "dropout": 0},
        "n_features": widths[0], "n_items": items,
        "features": plain(features), "targets": targets.tolist(),
        "initial": {f"{layer}.{part}": plain(value) for layer, pair in zip(names, layout)
                    for part, value in zip(("weight", "bias"), pair)},
        "loss_batches": [plain(losses.batches[at:at + per_epoch]) for at in range(0, len(losses.batches), per_epoch)],
        "loss_epochs": plain(history.history["loss"]),
        "final": {f"{layer}.{part}": plain(value) for layer, pair in zip(names, final)
                  for part, value in zip(("weight", "bias"), pair)},
        "scores": plain(model(features[:5])),
    }
    print(f"{name}: loss {record['loss_epochs']}")
    return record


def sampled_softmax(items, width, batch, sampled, seed):
    """
    TensorFlow's sampled softmax over given samples: its correction is the
    logarithm of how often an item is expected among them, and a sample that
    is the target itself does not count.
    """
    draw = numpy.random.default_rng(seed)
    weight, bias, hidden = (draw.standard_normal(shape).round(3).astype(numpy.float32)
                            for shape in ((items, width), (items,), (batch, width)))
    targets = draw.integers(0, items, batch)
    samples = draw.choice(items, sampled, replace=False)
    samples[0] = targets[0]
    rank = numpy.arange(items)
    log_uniform = numpy.log((rank + 2) / (rank + 1)) / numpy.log(items + 1)
    counts = (-numpy.expm1(sampled * numpy.log1p(-log_uniform))).astype(numpy.float32)
    with tensorflow.GradientTape() as tape:
        variables = [tensorflow.Variable(value) for value in (hidden, weight, bias)]
        losses = tensorflow.nn.sampled_softmax_loss(
            weights=variables[1], biases=variables[2], labels=targets[:, None], inputs=variables[0],
            num_sampled=sampled, num_classes=items, remove_accidental_hits=True,
            sampled_values=(samples.astype(numpy.int64), counts[targets][:, None], counts[samples]))
        loss = tensorflow.reduce_mean(losses)
    gradients = [tensorflow.convert_to_tensor(gradient) for gradient in tape.gradient(loss, variables)]
    return {"n_items": items, "output.weight": plain(weight), "output.bias": plain(bias), "hidden": plain(hidden),
            "targets": targets.tolist(), "samples": samples.tolist(), "expected_counts": plain(counts),
            "losses": plain(losses),
            "gradients": dict(zip(("hidden", "output.weight", "output.bias"), map(plain, gradients)))}


record = {
    "made_with": {"tensorflow": tensorflow.__version__, "keras": keras.__version__, "numpy": numpy.__version__},
    "networks": [
        network("one layer", [6, 8], "relu", 5, 40, 8, 5, 0.01, 0, 1),
        network("last batch short", [6, 8], "relu", 5, 37, 8, 5, 0.01, 0, 2),
        network("two layers", [6, 8, 7], "tanh", 5, 40, 8, 5, 0.01, 0, 3),
        network("weight decay", [6, 8, 7], "relu", 5, 40, 8, 5, 0.01, 0.1, 4),
        network("no hidden layer", [4], "relu", 3, 24, 6, 5, 0.05, 0, 5),
    ],
    "sampled_softmax": sampled_softmax(20, 4, 6, 8, 6),
}
with open(sys.argv[1], "w", encoding="ascii") as file:
    file.write('{"made_with": %s,\n"networks": [\n%s\n],\n"sampled_softmax": %s}\n' %
               (json.dumps(record["made_with"]), ",\n".join(json.dumps(one) for one in record["networks"]),
                json.dumps(record["sampled_softmax"])))

"""
Keras on the samples of the benchmark: samples/s of training, warm-up excluded.

    peer_mlp.py SAMPLES.csv ITEMS HIDDEN BATCH EPOCHS THREADS VARIANT

SAMPLES.csv has a row a sample: the item's number, then its features.  Prints:
samples/s<TAB>samples a CPU second<TAB>loss of the last epoch.  The first epoch (tracing, compiling,
allocating) is not timed, nor is reading the file.  Variants:

    fit         model.fit from numpy arrays, shuffled
    jit         model.fit from a cached and shuffled tf.data set, 32 steps an
                execution, compiled by XLA
    loop        a tf.function around the whole epoch, compiled by XLA, no model.fit
    sampled     loop with sampled softmax, 1,024 samples a batch (no XLA)
"""
import os
import sys
import time

samples_file, items, hidden, batch, epochs, threads, variant = sys.argv[1:8]
items, hidden, batch, epochs, threads = map(int, (items, hidden, batch, epochs, threads))
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["OMP_NUM_THREADS"] = str(threads)

import keras
import numpy
import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(threads)
tf.config.threading.set_inter_op_parallelism_threads(1)
keras.utils.set_random_seed(1)

table = numpy.loadtxt(samples_file, delimiter=",", dtype=numpy.float32, ndmin=2)
targets = table[:, 0].astype(numpy.int32)
features = numpy.ascontiguousarray(table[:, 1:])
count = len(targets) // batch * batch
features, targets = features[:count], targets[:count]

model = keras.Sequential([keras.Input((features.shape[1],)), keras.layers.Dense(hidden, activation="relu"),
                          keras.layers.Dense(items)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def with_fit():
    model.compile(keras.optimizers.Adam(0.001), loss, jit_compile=variant == "jit",
                  steps_per_execution=1 if variant == "fit" else 32)
    if variant == "fit":
        given = {"x": features, "y": targets, "batch_size": batch, "shuffle": True}
    else:
        data = tf.data.Dataset.from_tensor_slices((features, targets)).cache()
        given = {"x": data.shuffle(count, seed=1).batch(batch, drop_remainder=True).prefetch(4)}
    model.fit(**given, epochs=1, verbose=0)
    began, cpu = time.perf_counter(), time.process_time()
    history = model.fit(**given, epochs=epochs, verbose=0)
    return time.perf_counter() - began, time.process_time() - cpu, history.history["loss"][-1]


def with_loop():
    """The same by TensorFlow's own operations, Adam written out; kernels are [in][out]."""
    bound = [(6 / (a + b)) ** 0.5 for a, b in ((features.shape[1], hidden), (hidden, items))]
    weights = [tf.Variable(tf.random.uniform((features.shape[1], hidden), -bound[0], bound[0], seed=1)),
               tf.Variable(tf.zeros((hidden,))),
               tf.Variable(tf.random.uniform((items, hidden), -bound[1], bound[1], seed=2)),
               tf.Variable(tf.zeros((items,)))]
    moments = [(tf.Variable(tf.zeros_like(w)), tf.Variable(tf.zeros_like(w))) for w in weights]
    step = tf.Variable(0.0)

    def one(x, y):
        with tf.GradientTape() as tape:
            query = tf.nn.relu(x @ weights[0] + weights[1])
            if variant == "sampled":
                losses = tf.nn.sampled_softmax_loss(weights[2], weights[3], tf.cast(y, tf.int64)[:, None], query,
                                                    1024, items, remove_accidental_hits=True)
            else:
                scores = tf.matmul(query, weights[2], transpose_b=True) + weights[3]
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores)
            mean = tf.reduce_mean(losses)
        gradients = tape.gradient(mean, weights)
        step.assign_add(1.0)
        rate = 0.001 * tf.sqrt(1 - 0.999 ** step) / (1 - 0.9 ** step)
        for weight, (first, second), gradient in zip(weights, moments, gradients):
            if isinstance(gradient, tf.IndexedSlices):  # moments of the rows in the batch alone
                rows, slot = tf.unique(gradient.indices)
                values = tf.math.unsorted_segment_sum(gradient.values, slot, tf.size(rows))
                m = 0.9 * tf.gather(first, rows) + 0.1 * values
                v = 0.999 * tf.gather(second, rows) + 0.001 * values * values
                first.scatter_update(tf.IndexedSlices(m, rows))
                second.scatter_update(tf.IndexedSlices(v, rows))
                weight.scatter_sub(tf.IndexedSlices(rate * m / (tf.sqrt(v) + 1e-8), rows))
            else:
                first.assign(0.9 * first + 0.1 * gradient)
                second.assign(0.999 * second + 0.001 * gradient * gradient)
                weight.assign_sub(rate * first / (tf.sqrt(second) + 1e-8))
        return mean

    compiled = tf.function(one, jit_compile=variant == "loop", reduce_retracing=True)

    @tf.function
    def epoch(x, y):
        total = 0.0
        for at in tf.range(0, count, batch):
            total += compiled(x[at:at + batch], y[at:at + batch]) if variant == "sampled" else compiled(
                tf.ensure_shape(x[at:at + batch], (batch, features.shape[1])), tf.ensure_shape(y[at:at + batch], (batch,)))
        return total / (count // batch)

    draw = numpy.random.default_rng(1)
    seconds = cpu = 0.0
    for number in range(epochs + 1):
        began, cpu_began = time.perf_counter(), time.process_time()
        order = draw.permutation(count)
        last = float(epoch(tf.constant(features[order]), tf.constant(targets[order])))
        if number:
            seconds += time.perf_counter() - began
            cpu += time.process_time() - cpu_began
    return seconds, cpu, last


seconds, cpu, last = with_loop() if variant in ("loop", "sampled") else with_fit()
print(f"{count * epochs / seconds:.0f}\t{count * epochs / cpu:.0f}\t{last:.4f}")

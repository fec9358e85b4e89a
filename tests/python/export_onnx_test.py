"""export_onnx_test.py EB_ENGINE: what `export --to onnx` writes passes ONNX's full check and gives our logits in onnxruntime, for
every architecture, dense and compacted at 0.5, folded and not, for any batch. Two judges say what our logits are: eb_engine's own
evaluation, and the graph in the checkpoint computed by PyTorch in double."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
from safetensors.numpy import load_file

import graph_oracle

BINARY = sys.argv[1]
MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]
CLASSES, TEST_IMAGES = 10, 6
LIMIT = 2e-5  # on logits of normal size: absolute up to 1, then relative to the largest; docs/onnx.md promises 1e-4

NETWORKS = {
    "vgg16": {"arch": "vgg", "depth": 16, "width": 0.125},
    "preresnet20": {"arch": "preresnet", "depth": 20, "width": 0.5},
    "resnet18": {"arch": "resnet", "depth": 18, "width": 0.125},
    "resnet50": {"arch": "resnet", "depth": 50, "width": 0.125, "downsample_bias": True},
}


def chain(*nodes):
    """Nodes without "in" read the one before."""
    before, done = "x", []
    for node in nodes:
        done.append({"in": [before], **node})
        before = node["id"]
    return {"input": {"id": "x", "shape": [3, 32, 32]}, "output": before, "nodes": done}


# Every kind of pool, groups, biases, a convolution with two readers (does not fold), a select of some channels, a linear layer over
# a map, an addition and a batch norm behind linear layers, and an output that is no linear layer. Ids as odd as they may be.
NETWORKS["every_op"] = {"graph": chain(
    {"id": "input", "op": "conv", "out_channels": 12, "kernel": [3, 5], "stride": [2, 1], "pad": [1, 2], "bias": True},
    {"id": "logits", "op": "bn", "eps": 0.05, "momentum": 0.3},
    {"id": "overlap", "op": "max_pool", "kernel": 3, "stride": 2, "pad": 1},
    {"id": "some", "op": "select", "indices": [0, 2, 3, 5, 8, 11], "total": 12},
    {"id": "depthwise", "op": "conv", "out_channels": 12, "kernel": 3, "pad": 1, "groups": 6},
    {"id": "depthwise.weight", "op": "bn"},
    {"id": "padded", "op": "avg_pool", "kernel": [3, 2], "stride": [1, 2], "pad": [1, 1]},
    {"id": "shared", "op": "conv", "out_channels": 8, "kernel": 1, "groups": 2},
    {"id": "other", "op": "bn"},
    {"id": "r", "op": "relu"},
    {"id": "sum", "op": "add", "in": ["r", "shared"]},
    {"id": "before", "op": "bn"},
    {"id": "flat", "op": "linear", "out_channels": 20, "bias": False},
    {"id": "hidden", "op": "relu"},
    {"id": "pooled", "op": "global_avg_pool", "in": ["before"]},
    {"id": "wide", "op": "linear", "out_channels": 20},
    {"id": "sum2", "op": "add", "in": ["hidden", "wide"]},
    {"id": "vector_bn", "op": "bn"},
    {"id": "narrow", "op": "conv", "out_channels": CLASSES, "kernel": 1},
    {"id": "last", "op": "relu"},
)}
NETWORKS["vgg16_8bit"] = NETWORKS["vgg16"]
PRECISION = {"vgg16_8bit": {"preset": "swalp8"}}
COMPACTED = ["vgg16", "preresnet20", "resnet18", "resnet50"]


def engine(*args, ok=0):
    done = subprocess.run([BINARY, *map(str, args)], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if "EB2079" in done.stderr:  # built without libonnx
        print(done.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    assert done.returncode == ok, f"{args}: {done.returncode}\n{done.stderr}"


def write_images(folder):
    """CIFAR-10's files with random images; returns the test images as the network sees them."""
    folder.mkdir()
    random = np.random.default_rng(5)
    templates = random.uniform(0, 160, (CLASSES, 3, 8, 8))  # something to learn, or logits stay near zero
    for name, count in [(f"data_batch_{i}", 32) for i in range(1, 6)] + [("test_batch", TEST_IMAGES)]:
        labels = random.integers(0, CLASSES, (count, 1), dtype=np.uint8)
        coarse = templates[labels[:, 0]] + random.uniform(0, 95, (count, 3, 8, 8))
        pixels = coarse.astype(np.uint8).repeat(4, 2).repeat(4, 3)
        np.concatenate([labels, pixels.reshape(count, -1)], 1).tofile(folder / f"{name}.bin")
    shape = (1, 3, 1, 1)
    return ((pixels / 255.0 - np.reshape(MEAN, shape)) / np.reshape(STD, shape)).astype(np.float32)


def write_config(folder, name, images):
    config = {
        "name": name, "model": {"input": [3, 32, 32], "num_classes": CLASSES, **NETWORKS[name]},
        "data": {"kind": "cifar10_bin", "root": str(images), "holdout": 0, "workers": 0, "normalize": {"mean": MEAN, "std": STD}},
        "train": {"duration": "10ep", "batch_size": 16, "eval_batch_size": TEST_IMAGES, "optimizer": {"lr": 0.05}},
        "early_bird": {"watch": [0.5], "draw": 0.5, "threshold": 0, "deadline": "5ep", "min_channels": 1, "round_to": 1},
        "checkpoint": {"every": "100ep"},
    }
    if name in PRECISION:
        config["precision"] = PRECISION[name]
    if "graph" in NETWORKS[name]:
        config["model"] = dict(NETWORKS[name])
    config["model"]["init"] = {"bn_gamma": 1.0, "linear": "uniform_fan_in"}  # logits of normal size
    (folder / f"{name}.json").write_text(json.dumps(config))


def train(folder, name, steps):
    """The run's checkpoint after that many steps, ten to an epoch; before step 50 it is dense, then compacted."""
    run = folder / name
    engine("train", folder / f"{name}.json", "--out", run, "-q", "--threads", 1, "--max-steps", steps, ok=75)
    return run / "ckpt" / f"step-{steps:08}"


def our_logits(folder, checkpoint, x):
    """By eb_engine's evaluation, after PyTorch agreed."""
    file = folder / "logits.safetensors"
    engine("eval", checkpoint, "--threads", 1, "--full-precision", "--logits", file)
    ours = load_file(file)["logits"]
    second = graph_oracle.logits(*graph_oracle.load(checkpoint / "model.safetensors"), torch.from_numpy(x).double()).numpy()
    spread = ours.std(0).max()
    assert spread > 0.02, f"{checkpoint}: logits say nothing, spread {spread}"
    agree(ours, second, f"{checkpoint}: eb_engine and PyTorch")
    return ours


def difference(got, want):
    assert got.shape == want.shape, (got.shape, want.shape)
    return np.abs(got - want).max() / max(1, np.abs(want).max())


def agree(got, want, what):
    assert difference(got, want) <= LIMIT, f"{what} differ by {difference(got, want)}"


def run_onnx(model, x, batch):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    parts = [session.run(["logits"], {"input": x[i:i + batch]})[0] for i in range(0, len(x), batch)]
    return np.concatenate(parts)


def properties(model):
    return {p.key: p.value for p in model.metadata_props}


def check_facts(model, name, graph):
    assert (model.ir_version, model.opset_import[0].version, len(model.opset_import)) == (8, 17, 1)
    assert model.producer_name == "eb_engine" and model.producer_version
    props = properties(model)
    assert props["name"] == name and int(props["params"]) > 0 and props["eb_engine"] == model.producer_version
    x, y = model.graph.input, model.graph.output
    assert [i.name for i in x] == ["input"] and [o.name for o in y] == ["logits"]
    dims = lambda value: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
    assert dims(x[0]) == ["batch", *graph["input"]["shape"]] and dims(y[0]) == ["batch", CLASSES]
    ids = {n["id"] for n in graph["nodes"]}
    assert {n.name.split(":")[0] for n in model.graph.node} <= ids
    for t in model.graph.initializer:
        assert t.HasField("raw_data") and len(t.raw_data) > 0, t.name


def check_folding(model, graph, folded):
    """Folding leaves the batch norms that are not alone behind a convolution."""
    nodes = {n["id"]: n for n in graph["nodes"]}
    readers = {i: sum(n["in"].count(i) for n in graph["nodes"]) for i in nodes}
    before = [(n["id"], n["in"][0]) for n in graph["nodes"] if n["op"] == "bn"]
    alone = {i for i, x in before if x in nodes and nodes[x]["op"] == "conv" and readers[x] == 1}
    stay = {i for i, _ in before} - (alone if folded else set())
    assert {n.name for n in model.graph.node if n.op_type == "BatchNormalization"} == stay


def check_export(folder, checkpoint, name, x, ours, fold):
    file = folder / f"{name}-{checkpoint.name}{'-folded' if fold else ''}.onnx"
    engine("export", checkpoint, "--to", "onnx", "-o", file, *(["--fold-bn"] if fold else []))
    onnx.checker.check_model(str(file), full_check=True)
    model = onnx.load(str(file))
    graph, _ = graph_oracle.load(checkpoint / "model.safetensors")
    check_facts(model, name, graph)
    check_folding(model, graph, fold)
    for batch in (1, 3):
        agree(run_onnx(model, x, batch), ours, f"{file.name}: onnxruntime, batch {batch}, and eb_engine")
    return model


def must_differ(model, x, ours, what):
    seen = difference(run_onnx(model, x, 3), ours)
    assert seen > LIMIT, f"{what} went unnoticed: {seen}"


def check_mutations(model, x, ours):
    """A test that cannot fail proves nothing: two weights swapped, another epsilon."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    tensor = next(t for t in other.graph.initializer if len(t.dims) == 4)
    values = np.frombuffer(tensor.raw_data, np.float32).copy()
    values[[0, values.size // 2]] = values[[values.size // 2, 0]]
    tensor.raw_data = values.tobytes()
    must_differ(other, x, ours, "two swapped weights")
    other.CopyFrom(model)
    for node in other.graph.node:
        for attribute in node.attribute:
            if attribute.name == "epsilon":
                attribute.f *= 100
    must_differ(other, x, ours, "a wrong epsilon")


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        x = write_images(folder / "images")
        torch.set_num_threads(1)
        for name in NETWORKS:
            write_config(folder, name, folder / "images")
            params = []
            for steps in (45, 90) if name in COMPACTED else (45,):
                checkpoint = train(folder, name, steps)
                ours = our_logits(folder, checkpoint, x)
                model = check_export(folder, checkpoint, name, x, ours, fold=False)
                check_export(folder, checkpoint, name, x, ours, fold=True)
                check_mutations(model, x, ours)
                params.append(int(properties(model)["params"]))
            assert len(params) == 1 or params[1] < 0.7 * params[0], f"{name} is not compacted: {params}"
    print("export_onnx_test: fine")


main()

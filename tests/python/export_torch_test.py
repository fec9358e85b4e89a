"""Real PyTorch and torchvision as judges of `export --to torch` and `import`: export_torch_test.py EB_ENGINE.

Networks with batch norm statistics that are not trivial, dense and compacted, must give our logits in
PyTorch; torchvision's must give theirs in eb_engine.
"""

import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_file, save_file

engine = sys.argv[1]
tolerance = 1e-4
torch.manual_seed(1)
torch.set_num_threads(1)


def run(*args, code=0):
    done = subprocess.run([engine, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == code, f"{args}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def config(folder, name, size, **model):
    """A short run on few procedural images."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps({
        "name": name,
        "model": {"input": [3, size, size], "num_classes": 10,
                  "init": {"bn_gamma": 1.0, "linear": "uniform_fan_in"}, **model},
        "data": {"kind": "synthetic", "holdout": 0, "workers": 0,
                 "synthetic": {"train": 16, "test": 8, "size": size, "classes": 10}},
        "train": {"duration": "1ep", "batch_size": 8, "eval_batch_size": 8, "optimizer": {"lr": 0.01}},
        "early_bird": {"enabled": False, "min_channels": 1, "round_to": 1},
        "swa": {"enabled": True},  # whose checkpoint has statistics of these very weights
    }))
    return path


def evaluated(checkpoint, folder):
    """What eb_engine saw and said."""
    out = folder / "dump.safetensors"
    run("eval", checkpoint, "--dump", out, "--limit", 4, "--threads", 1)
    dump = load_file(out)
    assert dump["images"].shape[0] == dump["logits"].shape[0] == dump["labels"].shape[0] == 4
    return dump


def difference(logits, wanted):
    assert logits.shape == wanted.shape
    return ((logits - wanted).abs().max() / wanted.abs().max().clamp(min=1)).item()


def exported(directory):
    """What model.py prints as a program, and its network with the weights."""
    scope = {"__name__": "__main__", "__file__": str(directory / "model.py")}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec((directory / "model.py").read_text(), scope)
    assert printed.getvalue() == "(1, 10)\n", printed.getvalue()
    return scope["load"]()


def check_export(name, checkpoint, folder):
    out = folder / f"{name}-torch"
    start = time.time()
    run("export", checkpoint, "--to", "torch", "-o", out)
    seconds = time.time() - start
    dump = evaluated(checkpoint, folder)
    with torch.no_grad():
        error = difference(exported(out)(dump["images"]), dump["logits"])
    spread = dump["logits"].std(0).mean().item()
    lines = (out / "model.py").read_text().count("\n")
    print(f"{name:22} {lines:4} lines, export {seconds:.2f} s, largest difference {error:.1e}, spread {spread:.1e}",
          flush=True)
    assert error < tolerance, error
    assert spread > 1e-3, "images that all give the same logits prove nothing"
    return out


def compacted(checkpoint, folder, name):
    ticket, small = folder / f"{name}.safetensors", folder / f"{name}-small"
    run("draw", checkpoint, "--ratio", "0.5", "-o", ticket)
    run("compact", checkpoint, "--ticket", ticket, "-o", small)
    return small


def randomised(model):
    """Batch norm statistics and scales that training might have left."""
    for m in model.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(m.running_mean, std=0.1)
            torch.nn.init.uniform_(m.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(m.weight, 0.5, 1.2)
            torch.nn.init.normal_(m.bias, std=0.1)
    return model.eval()


def export_both(name, checkpoint, folder):
    check_export(name, checkpoint, folder)
    check_export(f"{name}-compacted", compacted(checkpoint, folder, name), folder)


def imported(folder, name, setup, tensors, *flags):
    """A checkpoint of these tensors, with num_batches_tracked, as people have them."""
    path = folder / f"{name}.safetensors"
    save_file(tensors, path)
    run("import", path, "--model", setup, "-o", folder / name, *flags)
    path.unlink()
    return folder / name


def same_logits(checkpoint, network, folder):
    dump = evaluated(checkpoint, folder)
    with torch.no_grad():
        error = difference(dump["logits"], network.eval()(dump["images"]))
    print(f"{checkpoint.name} beside torchvision: largest difference {error:.1e}", flush=True)
    assert error < tolerance, error


def check_preresnet(folder):
    run("train", config(folder, "preresnet20", 32, arch="preresnet", depth=20), "--out", folder / "run", "-q",
        "--threads", 1)
    export_both("preresnet20", folder / "run/swa", folder)


def check_resnet18(folder):
    network = randomised(torchvision.models.resnet18(num_classes=10))
    setup = config(folder, "setup18", 64, arch="resnet", depth=18)
    checkpoint = imported(folder, "resnet18", setup, network.state_dict())
    same_logits(checkpoint, network, folder)
    export_both("resnet18", checkpoint, folder)
    check_train_and_return(folder, setup, checkpoint)
    # A graph with biases that torchvision has not.
    biased = config(folder, "setup18b", 64, arch="resnet", depth=18, downsample_bias=True)
    same_logits(imported(folder, "resnet18-biased", biased, network.state_dict()), network, folder)


def check_train_and_return(folder, setup, checkpoint):
    """An imported network trains on, and goes back to torchvision."""
    out = folder / "tuned"
    run("train", setup, "--init-from", checkpoint, "--out", out, "-q", "--threads", 1, "--set", "swa.enabled=false",
        "--set", "train.optimizer.lr=1e-6", "--max-steps", 1, code=75)
    before, after = load_file(checkpoint / "model.safetensors"), load_file(out / "ckpt/step-00000001/model.safetensors")
    change = max((after[k] - before[k]).abs().max().item() for k in before if "running" not in k)
    assert 0 < change < 0.1, f"one small step from the imported weights changed them by {change}"
    back = torchvision.models.resnet18(num_classes=10)
    back.load_state_dict(after)  # strict
    same_logits(out, back, folder)


def check_resnet50(folder):
    """With the biases of models/resnet50.json, which docs/pytorch.md folds away for torchvision."""
    weights = randomised(torchvision.models.resnet50(num_classes=10)).state_dict()
    for i, width in enumerate((256, 512, 1024, 2048)):
        weights[f"layer{i + 1}.0.downsample.0.bias"] = torch.randn(width) / 10
    setup = config(folder, "setup50", 64, arch="resnet", depth=50, downsample_bias=True)
    checkpoint = imported(folder, "resnet50", setup, weights)
    export_both("resnet50", checkpoint, folder)
    weights = load_file(checkpoint / "model.safetensors")
    for name in [n for n in weights if n.endswith("downsample.0.bias")]:
        weights[name.replace("0.bias", "1.running_mean")] -= weights.pop(name)
    network = torchvision.models.resnet50(num_classes=10)
    network.load_state_dict(weights)  # strict
    same_logits(checkpoint, network, folder)


def check_vgg16(folder):
    """torchvision's features have biases, which go into the running means; its classifier is another one."""
    vgg = torchvision.models.vgg
    features = randomised(vgg.make_layers(vgg.cfgs["D"], batch_norm=True))
    for m in features:
        if isinstance(m, torch.nn.Conv2d):
            torch.nn.init.normal_(m.bias, std=0.1)
        if isinstance(m, torch.nn.BatchNorm2d):
            m.momentum = None  # the statistics of one batch, whole
    with torch.no_grad():
        features.train()(torch.randn(16, 3, 32, 32))
    features.eval()
    weights = {f"features.{k}": v for k, v in features.state_dict().items()}
    head = {f"classifier.{i}.{part}": torch.zeros(1) for i in (0, 3, 6) for part in ("weight", "bias")}
    setup = config(folder, "setup16", 32, arch="vgg", depth=16)
    save_file({**weights, **head}, folder / "vgg.safetensors")
    said = run("import", folder / "vgg.safetensors", "--model", setup, "-o", folder / "vgg16", code=4)
    assert "EB4064" in said and all(name in said for name in head), said
    checkpoint = imported(folder, "vgg16", setup, {**weights, **head}, "--replace-classifier")
    export_both("vgg16", checkpoint, folder)
    x = evaluated(checkpoint, folder)["images"]
    with torch.no_grad():  # all but torchvision's last pool
        assert difference(exported(folder / "vgg16-torch").feature(x), features[:-1](x)) < tolerance


def check_any_graph(folder):
    """Odd names, prefixes entered twice, blocks in blocks, vectors that become maps and maps that become vectors."""
    def node(id, op, *inputs, **options):
        return {"id": id, "op": op, "in": list(inputs), **options}

    nodes = [
        node("a.3x3", "conv", "x", out_channels=8, kernel=3, pad=1, bias=True),
        node("b-1", "conv", "a.3x3", out_channels=8, kernel=[3, 1], pad=[1, 0]),
        node("a.class", "bn", "b-1", eps=0.1, momentum=0.5),
        node("s", "add", "a.class", "a.3x3"),
        node("t.inner.conv", "conv", "s", out_channels=8, kernel=3, pad=1, groups=4),
        node("t.inner.bn", "bn", "t.inner.conv"),
        node("t.inner.add", "add", "t.inner.bn", "s"),
        node("t.conv2", "conv", "t.inner.add", out_channels=12, kernel=3, stride=[2, 1], pad=1),
        node("pool", "avg_pool", "t.conv2", kernel=3, stride=2, pad=1),
        node("wide", "linear", "pool", out_channels=16),
        node("again", "conv", "wide", out_channels=16, kernel=1),
        node("f", "bn", "again"),
        node("fl", "linear", "f", out_channels=16),
        node("one", "add", "fl", "f"),
        node("two", "add", "f", "one"),
        node("m", "bn", "two"),
        node("head.0", "linear", "m", out_channels=8),
        node("head.1", "relu", "head.0"),
        node("head.2", "linear", "head.1", out_channels=10, bias=False),
    ]
    graph = {"input": {"id": "x", "shape": [3, 16, 16]}, "output": "head.2", "nodes": nodes}
    run("train", config(folder, "any", 16, graph=graph), "--out", folder / "any", "-q", "--threads", 1)
    out = check_export("any", folder / "any/swa", folder)
    text = (out / "model.py").read_text()
    assert all(t in text for t in ("nn.ModuleDict", "BatchNorm1d", "[:, :, None, None]", "getattr", "class Block2",
                                  "eps=0.1, momentum=0.5"))


def check_faults(folder):
    setup = config(folder, "small", 32, arch="resnet", depth=18, width=0.125)
    run("train", setup, "--out", folder / "small", "-q", "--threads", 1)
    good = load_file(folder / "small/swa/model.safetensors")
    path, out = folder / "bad.safetensors", folder / "bad"

    def refused(tensors, code, *words):
        save_file(tensors, path)
        said = run("import", path, "--model", setup, "-o", out, code=4)
        assert f"EB{code}" in said and all(w in said for w in words), said
        assert not out.exists()

    missing = ["layer1.0.conv1.weight", "layer4.1.bn2.running_var", "bn1.bias"]
    refused({k: v for k, v in good.items() if k not in missing}, 4060, *missing)
    extra = {f"layer9.{i}.weight": torch.zeros(3) for i in range(12)}
    refused({**good, **extra}, 4061, *extra)
    wrong = {"conv1.weight": torch.zeros(64, 3, 3, 3), "layer2.0.bn1.weight": torch.zeros(7)}
    refused({**good, **wrong}, 4062, *wrong, "(64, 3, 3, 3)", "(8, 3, 7, 7)", "(7)", "(16)")
    refused({**good, "bn1.bias": torch.zeros(8, dtype=torch.int32)}, 4063, "bn1.bias")
    refused({**good, "bn1.bias": torch.zeros(8, dtype=torch.float16)}, 4006, "bn1.bias", "F16")
    refused({**good, "fc.weight": torch.zeros(1000, 64), "fc.bias": torch.zeros(1000)}, 4064, "--replace-classifier")
    refused({**good, "bn1.bias": torch.full((8,), float("nan"))}, 4066, "bn1.bias")
    refused({**good, "bn1.running_var": torch.full((8,), -1.0)}, 4066, "bn1.running_var")
    all_three = {**good, "extra.weight": torch.zeros(3), "bn1.bias": torch.zeros(3)}
    del all_three["conv1.weight"]
    refused(all_three, 4060, "conv1.weight", "extra.weight", "bn1.bias")
    save_file(good, path)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "EB4008" in run("import", path, "--model", setup, "-o", out, code=4)
    save_file({k: v.double() for k, v in good.items()}, path)
    run("import", path, "--model", setup, "-o", out)
    assert evaluated(out, folder)["logits"].shape == (4, 10)


checks = [check_preresnet, check_resnet18, check_resnet50, check_vgg16, check_any_graph, check_faults]
for check in checks:
    with tempfile.TemporaryDirectory() as temporary:
        check(Path(temporary))
print("fine")

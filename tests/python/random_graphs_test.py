"""random_graphs_test.py EB_ENGINE [FIRST COUNT]: networks that nobody would think of, trained for an epoch, pruned and compacted,
give our logits in PyTorch (export --to torch) and in onnxruntime (export --to onnx)."""
import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile

import onnxruntime
import torch
from safetensors.torch import load_file

ENGINE = pathlib.Path(sys.argv[1]).resolve()
FIRST, COUNT = (int(n) for n in sys.argv[2:4]) if len(sys.argv) > 3 else (0, 12)
CLASSES, SIZE, LIMIT = 10, 12, 1e-4
torch.set_num_threads(1)


def run(*args):
    done = subprocess.run([ENGINE, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0, f"{args}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stderr


def write_config(path, graph):
    path.write_text(json.dumps({
        "name": "random", "model": {"graph": graph, "init": {"bn_gamma": 1.0, "linear": "uniform_fan_in"}},
        "data": {"kind": "synthetic", "holdout": 0, "workers": 0,
                 "synthetic": {"train": 32, "test": 8, "size": SIZE, "classes": CLASSES}},
        "train": {"duration": "1ep", "batch_size": 8, "eval_batch_size": 8, "optimizer": {"lr": 0.01}},
        "early_bird": {"enabled": False, "min_channels": 1, "round_to": 1},
        "swa": {"enabled": True},  # whose checkpoint has statistics of these very weights
    }))


def in_pytorch(directory, x):
    scope = {"__name__": "__main__", "__file__": str(directory / "model.py")}
    with contextlib.redirect_stdout(io.StringIO()):
        exec((directory / "model.py").read_text(), scope)
    with torch.no_grad():
        return scope["load"]()(x)


def in_onnxruntime(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"input": x.numpy()})[0])


def check(graph, folder):
    config, dense, ticket, small = folder / "config.json", folder / "run/swa", folder / "t.safetensors", folder / "small"
    write_config(config, graph)
    run("train", config, "--out", folder / "run", "-q", "--threads", 1)
    run("draw", dense, "--ratio", "0.5", "-o", ticket)
    run("compact", dense, "--ticket", ticket, "-o", small)
    run("eval", small, "--dump", folder / "dump.safetensors", "--limit", 8, "--threads", 1)
    dump = load_file(folder / "dump.safetensors")
    run("export", small, "--to", "torch", "-o", folder / "torch")
    run("export", small, "--to", "onnx", "-o", folder / "small.onnx")
    scale = max(1, dump["logits"].abs().max().item())
    return {name: (logits - dump["logits"]).abs().max().item() / scale
            for name, logits in (("PyTorch", in_pytorch(folder / "torch", dump["images"])),
                                 ("onnxruntime", in_onnxruntime(folder / "small.onnx", dump["images"])))}


def main():
    graphs = subprocess.run([ENGINE.parent / "random_graphs", *map(str, (FIRST, COUNT, CLASSES, SIZE))],
                            capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(graphs) == COUNT
    for seed, graph in enumerate(graphs, FIRST):
        with tempfile.TemporaryDirectory() as folder:
            try:
                errors = check(json.loads(graph), pathlib.Path(folder))
            except Exception:
                print(f"seed {seed}: {graph}")
                raise
        print(f"seed {seed}: " + ", ".join(f"{name} {error:.1e}" for name, error in errors.items()), flush=True)
        assert max(errors.values()) < LIMIT, graph


main()

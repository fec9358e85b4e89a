"""A second reading of a checkpoint: its graph, op by op in PyTorch and in double precision."""
import json

import torch
import torch.nn.functional as F
from safetensors import safe_open


def load(path):
    """model.safetensors -> (graph, tensors by name)."""
    with safe_open(path, "pt") as f:
        return json.loads(f.metadata()["graph"]), {name: f.get_tensor(name).double() for name in f.keys()}


def windowed(node, default_stride=1):
    stride = node.get("stride", default_stride)
    return {"stride": stride, "padding": node.get("pad", 0)}


def logits(graph, tensors, x):
    """x (N, C, H, W) in double -> (N, classes), in inference."""
    values = {graph["input"]["id"]: x}
    for node in graph["nodes"]:
        name, op = node["id"], node["op"]
        x = values[node["in"][0]]
        weight, bias = tensors.get(name + ".weight"), tensors.get(name + ".bias")
        if op == "conv":
            y = F.conv2d(x, weight, bias, groups=node.get("groups", 1), **windowed(node))
        elif op == "bn":
            mean, var = tensors[name + ".running_mean"], tensors[name + ".running_var"]
            y = F.batch_norm(x, mean, var, weight, bias, eps=node.get("eps", 1e-5))
        elif op == "relu":
            y = F.relu(x)
        elif op == "add":
            y = x + values[node["in"][1]]
        elif op == "select":
            y = x[:, node["indices"]] if "indices" in node else x
        elif op == "max_pool":
            y = F.max_pool2d(x, node["kernel"], **windowed(node, node["kernel"]))
        elif op == "avg_pool":
            y = F.avg_pool2d(x, node["kernel"], **windowed(node, node["kernel"]))
        elif op == "global_avg_pool":
            y = x.mean((2, 3), keepdim=True)
        elif op == "linear":
            y = F.linear(x.flatten(1), weight, bias)[:, :, None, None]
        else:
            raise ValueError(f"{name}: what is {op}?")
        values[name] = y
    return values[graph["output"]].flatten(1)

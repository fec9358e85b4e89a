#!/usr/bin/python3
"""Depthwise and grouped convolutions beside PyTorch's on this CPU: compare_torch_convolutions.py BINARY

Forward, backward-data and weight gradient together, f32, batch 64, CPU milliseconds of one thread. Ours are the medians of
`BINARY bench kernels`, a direction at a time; PyTorch's the median of five times forward and backward of one nn.Conv2d in channels_last.
"""
import json
import statistics
import subprocess
import sys
import time

import torch

CASES = [  # name in the bench, map, channels, groups, kernel, stride
    ("depthwise 3x3 32x32x64 s1", 32, 64, 64, 3, 1), ("depthwise 3x3 16x16x128 s1", 16, 128, 128, 3, 1),
    ("depthwise 3x3 16x16x256 s1", 16, 256, 256, 3, 1), ("depthwise 3x3 8x8x512 s1", 8, 512, 512, 3, 1),
    ("depthwise 3x3 32x32x64 s2", 32, 64, 64, 3, 2), ("depthwise 5x5 32x32x64 s1", 32, 64, 64, 5, 1),
    ("depthwise 5x5 8x8x512 s1", 8, 512, 512, 5, 1), ("grouped of 32 3x3 32x32x64 s1", 32, 64, 32, 3, 1),
    ("grouped of 32 3x3 16x16x256 s1", 16, 256, 32, 3, 1),
]


def ours(binary, name):
    run = subprocess.run([binary, "bench", "kernels", "--threads", "1", "--cpu-time", "--dtype", "f32", "--batch-cifar", "64", "--json",
                          "--filter", name + "$"], capture_output=True, text=True, check=True)
    return sum(row["us"] for row in json.loads(run.stdout)["rows"]) / 1e3


def theirs(size, channels, groups, kernel, stride):
    layer = torch.nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    layer = layer.to(memory_format=torch.channels_last)
    x = torch.randn(64, channels, size, size).to(memory_format=torch.channels_last).requires_grad_()
    dy = torch.randn_like(layer(x))
    seconds = []
    for _ in range(6):
        x.grad = layer.weight.grad = None
        start = time.process_time()
        layer(x).backward(dy)
        seconds.append(time.process_time() - start)
    return statistics.median(seconds[1:]) * 1e3


torch.set_num_threads(1)
print(f"| shape | ours ms | PyTorch {torch.__version__} ms | ours faster |\n|---|---|---|---|")
for name, *shape in CASES:
    mine, other = ours(sys.argv[1], name), theirs(*shape)
    print(f"| {name} | {mine:.1f} | {other:.1f} | {other / mine:.2f}x |", flush=True)

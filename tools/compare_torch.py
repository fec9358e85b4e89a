#!/usr/bin/python3
"""Training steps side by side with PyTorch on this machine's CPU (Debian: apt install python3-torch).

Prints the table of docs/performance.md. Each measurement is a process of its own (so peak memory is its own), the
two engines take turns, and the median of all steps counts. PyTorch runs channels_last with fused in-place ReLU,
SGD with momentum and weight decay, and the L1 subgradient on the BN scales: the same work eb_engine does.

    tools/compare_torch.py [--rounds 3] [--steps 5] [--cases vgg16,preresnet101,resnet18] [--dtypes f32,bf16]
"""
import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CASES = {  # name: (config, batch, image size, classes)
    "vgg16": ("models/vgg16.json", 128, 32, 10),
    "preresnet101": ("models/preresnet101.json", 128, 32, 10),
    "resnet18": ("models/resnet18.json", 32, 224, 1000),
    "vgg16_quarter": ("models/vgg16_quarter.json", 128, 32, 10),
}


def torch_model(name, classes):
    import torch
    from torch import nn

    def conv(i, o, k, s=1):
        return nn.Conv2d(i, o, k, s, k // 2, bias=False)

    class PreBlock(nn.Module):
        def __init__(self, i, width, stride, first):
            super().__init__()
            self.bn1, self.c1 = nn.BatchNorm2d(i), conv(i, width, 1)
            self.bn2, self.c2 = nn.BatchNorm2d(width), conv(width, width, 3, stride)
            self.bn3, self.c3 = nn.BatchNorm2d(width), conv(width, 4 * width, 1)
            self.down = conv(i, 4 * width, 1, stride) if first else None
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.c1(self.relu(self.bn1(x)))
            y = self.c2(self.relu(self.bn2(y)))
            y = self.c3(self.relu(self.bn3(y)))
            return y + (x if self.down is None else self.down(x))

    class Block(nn.Module):
        def __init__(self, i, o, stride):
            super().__init__()
            self.c1, self.bn1 = conv(i, o, 3, stride), nn.BatchNorm2d(o)
            self.c2, self.bn2 = conv(o, o, 3), nn.BatchNorm2d(o)
            self.down = None
            if stride != 1 or i != o:
                self.down = nn.Sequential(conv(i, o, 1, stride), nn.BatchNorm2d(o))
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.bn2(self.c2(self.relu(self.bn1(self.c1(x)))))
            return self.relu(y + (x if self.down is None else self.down(x)))

    def vgg(width):
        layers, i = [], 3
        for v in [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512]:
            if v == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            o = int(v * width)
            layers += [conv(i, o, 3), nn.BatchNorm2d(o), nn.ReLU(inplace=True)]
            i = o
        return nn.Sequential(*layers, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(i, classes))

    def preresnet101():
        layers, i = [conv(3, 16, 3)], 16
        for stage, width in enumerate([16, 32, 64]):
            for block in range(11):
                layers.append(PreBlock(i, width, 2 if stage and not block else 1, block == 0))
                i = 4 * width
        return nn.Sequential(*layers, nn.BatchNorm2d(i), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                             nn.Linear(i, classes))

    def resnet18():
        layers, i = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
                     nn.MaxPool2d(3, 2, 1)], 64
        for o in [64, 128, 256, 512]:
            layers += [Block(i, o, 1 if o == 64 else 2), Block(o, o, 1)]
            i = o
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(i, classes))

    build = {"vgg16": lambda: vgg(1), "vgg16_quarter": lambda: vgg(0.25), "preresnet101": preresnet101,
             "resnet18": resnet18}
    return build[name]().to(memory_format=torch.channels_last)


def torch_worker(name, dtype, steps, threads):
    import torch
    from torch import nn
    _, batch, size, classes = CASES[name]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = torch_model(name, classes).train()
    scales = [m.weight for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    x = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(batch) % classes
    seconds = []
    for step in range(steps + 2):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == "bf16"):
            loss = nn.functional.cross_entropy(model(x).float(), labels)
        loss.backward()
        with torch.no_grad():
            for s in scales:
                s.grad.add_(torch.sign(s), alpha=1e-4)
        optimizer.step()
        loss.item()
        if step >= 2:
            seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def run_torch(name, dtype, args):
    out = subprocess.run(["/usr/bin/python3", __file__, "--worker", name, dtype, str(args.steps), str(args.threads)],
                         capture_output=True, text=True, timeout=1800)
    if out.returncode:
        return None
    return json.loads(out.stdout.splitlines()[-1])


def run_ours(name, dtype, args, extra=()):
    config, batch, _, _ = CASES[name]
    out = subprocess.run([f"{ROOT}/build/eb_engine", "bench", "step", f"{ROOT}/{config}", "--batch", str(batch),
                          "--dtype", dtype, "--steps", str(args.steps), "--threads", str(args.threads), "--json", *extra],
                         capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def compare(name, dtype, args):
    ours, theirs, ours_mib, theirs_mib = [], [], 0, 0
    for _ in range(args.rounds):
        r = run_ours(name, dtype, args)
        ours.append(r["step_ms"] / 1e3)
        ours_mib = max(ours_mib, r["peak_rss_mib"])
        t = run_torch(name, dtype, args)
        if t:
            theirs.append(statistics.median(t["seconds"]))
            theirs_mib = max(theirs_mib, t["peak_mib"])
    batch = CASES[name][1]
    a = statistics.median(ours)
    row = [name, dtype, str(batch), f"{a * 1e3:.0f}", f"{batch / a:.0f}"]
    if theirs:
        b = statistics.median(theirs)
        row += [f"{b * 1e3:.0f}", f"{batch / b:.0f}", f"{b / a:.2f}x", f"{ours_mib:.0f}", f"{theirs_mib:.0f}"]
    else:
        row += ["failed", "", "", f"{ours_mib:.0f}", ""]
    print("| " + " | ".join(row) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--cases", default="vgg16,preresnet101,resnet18")
    parser.add_argument("--dtypes", default="f32,bf16")
    args = parser.parse_args()
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    print(f"{time.strftime('%Y-%m-%d')}, {cpu}, {args.threads} threads, {args.rounds} rounds of {args.steps} steps\n")
    print("| network | dtype | batch | ours ms | ours images/s | PyTorch ms | PyTorch images/s | speed-up | ours MiB | PyTorch MiB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in args.cases.split(","):
        for dtype in args.dtypes.split(","):
            compare(name, dtype, args)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--worker":
        torch_worker(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main()

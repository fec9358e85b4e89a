#!/usr/bin/python3
"""Training steps side by side with PyTorch on this machine's CPU (Debian: apt install python3-torch) or card.

Prints the table of docs/performance.md. Each measurement is a process of its own (so peak memory is its own), the
two engines take turns, and the median of all steps counts. PyTorch runs channels_last with fused in-place ReLU,
SGD with momentum and weight decay, and the L1 subgradient on the BN scales: the same work eb_engine does.

    tools/compare_torch.py [--rounds 3] [--steps 5] [--cases vgg16,preresnet101,resnet18] [--dtypes f32,bf16]
    tools/compare_torch.py --device cuda [--steps 200] [--modes eager,compile,graph]
    tools/compare_torch.py --cases vgg16 --dtypes swalp8,swalp8-exact,reference
    tools/compare_torch.py --python VENV/bin/python --python /usr/bin/python3 [--threads 1 --cpu-time]

The last but one: our 8-bit training beside a PyTorch step that simulates it as the paper's code does with QPyTorch (fp32 arithmetic
on values rounded to 8 bit), written in as few passes of plain tensor operations as they allow. On a card our activations
between the 8-bit tensors are bf16, for `reference` f32; PyTorch's convolutions are TF32.

On a card PyTorch runs three ways: eager, torch.compile(mode="max-autotune-no-cudagraphs"), and a CUDA graph of the whole
eager step; the speed-up is against the fastest. bf16 is autocast there, f32 is TF32 in both engines.
--cpu-time counts CPU seconds instead of wall-clock, with --threads 1 on a machine that others use too.
Exit status 1 if a measurement failed: its cell says so, and stderr why.
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
CASES = {  # name: (config, batch on a CPU, image size, classes)
    "vgg16": ("models/vgg16.json", 128, 32, 10),
    "preresnet101": ("models/preresnet101.json", 128, 32, 10),
    "resnet18": ("models/resnet18.json", 32, 224, 1000),
    "resnet50": ("models/resnet50.json", 16, 224, 1000),
    "vgg16_quarter": ("models/vgg16_quarter.json", 128, 32, 10),
}
CUDA_BATCH = 256
PRECISIONS = {  # what --dtypes may say besides f32 and bf16: (our settings, our dtype on a card)
    "swalp8": (["precision.preset=swalp8"], "bf16"),
    "swalp8-exact": (["precision.preset=swalp8", "precision.arithmetic=exact"], "bf16"),
    "reference": (["precision.preset=reference"], "f32"),
}


def quantize(x):
    """8-bit block floating point with stochastic rounding: q = delta * floor(x / delta + u), |q| <= 127 delta, delta =
    2^(E - 6), E the exponent of the block's largest magnitude. A block is a row of dimension 0, or one number of a vector.
    QPyTorch's rounding to 23 bits before that, and its 15-bit u, are left out."""
    import torch
    largest = torch.linalg.vector_norm(x, float("inf"), dim=tuple(range(1, x.dim())), keepdim=True) if x.dim() > 1 else x.abs()
    exponent = torch.frexp(largest).exponent.clamp_(min=-99) - 7  # frexp's mantissa is below 1
    one = torch.ones_like(largest)
    return torch.addcmul(torch.rand_like(x), x, torch.ldexp(one, -exponent)).floor_().clamp_(-127, 127).mul_(
        torch.ldexp(one, exponent))


def simulate_quantization(model):
    """Rounds the outputs of all convolutions and their errors, an exponent for each sample; returns what rounds gradients
    and what rounds weights and momentum around an optimiser's step."""
    import torch

    class Rounded(torch.autograd.Function):
        @staticmethod
        def forward(ctx, y):
            return quantize(y)

        @staticmethod
        def backward(ctx, dy):
            return quantize(dy)

    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda module, inputs, y: Rounded.apply(y))
    parameters = list(model.parameters())

    def round_gradients():
        for p in parameters:
            p.grad.copy_(quantize(p.grad))

    def round_update(optimizer):
        for p in parameters:
            p.copy_(quantize(p))
            momentum = optimizer.state[p]["momentum_buffer"]
            momentum.copy_(quantize(momentum))

    return round_gradients, round_update


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

    class Bottleneck(nn.Module):
        def __init__(self, i, width, stride):
            super().__init__()
            self.c1, self.bn1 = conv(i, width, 1), nn.BatchNorm2d(width)
            self.c2, self.bn2 = conv(width, width, 3, stride), nn.BatchNorm2d(width)
            self.c3, self.bn3 = conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width)
            self.down = None
            if stride != 1 or i != 4 * width:
                self.down = nn.Sequential(conv(i, 4 * width, 1, stride), nn.BatchNorm2d(4 * width))
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.relu(self.bn2(self.c2(self.relu(self.bn1(self.c1(x))))))
            return self.relu(self.bn3(self.c3(y)) + (x if self.down is None else self.down(x)))

    def resnet50():
        layers, i = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
                     nn.MaxPool2d(3, 2, 1)], 64
        for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
            for block in range(blocks):
                layers.append(Bottleneck(i, width, 2 if width > 64 and not block else 1))
                i = 4 * width
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(i, classes))

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
             "resnet18": resnet18, "resnet50": resnet50}
    return build[name]().to(memory_format=torch.channels_last)


def torch_step(name, dtype, device, batch):
    """A closure that trains one step on random data."""
    import torch
    from torch import nn
    _, _, size, classes = CASES[name]
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True
    model = torch_model(name, classes).to(device).train()
    rounding = simulate_quantization(model) if dtype in PRECISIONS else None
    scales = [m.weight for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    fused = {"fused": True} if device == "cuda" else {}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, **fused)
    x = torch.randn(batch, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
    labels = (torch.arange(batch) % classes).to(device)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=dtype == "bf16"):
            loss = nn.functional.cross_entropy(model(x).float(), labels)
        loss.backward()
        with torch.no_grad():
            torch._foreach_add_([s.grad for s in scales], [torch.sign(s) for s in scales], alpha=1e-4)
            if rounding:
                rounding[0]()
        optimizer.step()
        if rounding:
            with torch.no_grad():
                rounding[1](optimizer)
        return loss

    return model, step


def cpu_worker(name, dtype, steps, threads, clock):
    import torch
    torch.set_num_threads(threads)
    now = time.process_time if clock == "cpu" else time.perf_counter
    _, step = torch_step(name, dtype, "cpu", CASES[name][1])
    seconds = []
    for i in range(steps + 2):
        start = now()
        step().item()
        if i >= 2:
            seconds.append(now() - start)
    print(json.dumps({"seconds": seconds, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def cuda_worker(name, dtype, steps, mode):
    import torch
    model, step = torch_step(name, dtype, "cuda", CUDA_BATCH)
    if mode == "compile":
        model.compile(mode="max-autotune-no-cudagraphs")
    for _ in range(10):
        step()
    if mode == "graph":
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        step = graph.replay
    seconds = []
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(steps // 5):
            step()
        torch.cuda.synchronize()
        seconds.append((time.perf_counter() - start) / (steps // 5))
    print(json.dumps({"seconds": seconds, "peak_mib": torch.cuda.max_memory_allocated() / 2**20}))


def run_torch(python, name, dtype, args, mode=""):
    try:
        out = subprocess.run([python, __file__, "--worker", args.device, name, dtype, str(args.steps), str(args.threads),
                              mode or ("cpu" if args.cpu_time else "wall")],
                             capture_output=True, text=True, timeout=1800)
    except subprocess.TimeoutExpired as e:
        print(e, file=sys.stderr)
        return None
    if out.returncode:
        print(out.stderr[-500:], file=sys.stderr)
        return None
    return json.loads(out.stdout.splitlines()[-1])


def torch_version(python):
    """As the package's own file says it: an import takes seconds, and a distribution's metadata may say another."""
    ask = ("import importlib.util, os, runpy, sys; spec = importlib.util.find_spec('torch') or sys.exit('no module torch'); "
           "print(runpy.run_path(os.path.join(os.path.dirname(spec.origin), 'version.py'))['__version__'])")
    out = subprocess.run([python, "-c", ask], capture_output=True, text=True)
    if out.returncode:
        sys.exit(f"{python} has no PyTorch: {out.stderr[-300:]}")
    return out.stdout.strip()


def run_ours(name, dtype, args):
    config, batch, _, _ = CASES[name]
    settings, compute = PRECISIONS.get(dtype, ([], dtype))
    if dtype in PRECISIONS and args.device == "cpu":
        compute = "f32"
    out = subprocess.run([args.engine, "bench", "step", f"{ROOT}/{config}", "--batch",
                          str(CUDA_BATCH if args.device == "cuda" else batch), "--dtype", compute, "--device", args.device,
                          "--steps", str(args.steps), "--threads", str(args.threads), "--json",
                          *(["--cpu-time"] if args.cpu_time else []), *(x for s in settings for x in ("--set", s))],
                         capture_output=True, text=True)
    if out.returncode:
        print(out.stderr[-500:], file=sys.stderr)
        return None
    return json.loads(out.stdout)


def say(what, seconds):
    """On stderr, so that a comparison that is cut off has lost nothing."""
    print(f"{what}: {seconds * 1e3:.2f} ms", file=sys.stderr, flush=True)


def compare(name, dtype, versions, args):
    """A row for each PyTorch: medians over rounds in which the engines take turns; of PyTorch's modes the fastest. Returns
    whether every measurement came."""
    ours, ours_mib, theirs, theirs_mib = [], 0, {v: {} for v in versions}, dict.fromkeys(versions, 0)
    modes_wanted = args.modes.split(",") if args.device == "cuda" else [""]
    for _ in range(args.rounds):
        if not args.theirs_only and (r := run_ours(name, dtype, args)):
            ours.append(r["step_ms"] / 1e3)
            say(f"{name} {dtype}, ours", ours[-1])
            ours_mib = max(ours_mib, r.get("peak_device_mib") or r["peak_rss_mib"])
        for version, python in versions.items():
            for mode in modes_wanted:
                if t := run_torch(python, name, dtype, args, mode):
                    theirs[version].setdefault(mode, []).append(statistics.median(t["seconds"]))
                    say(f"{name} {dtype}, PyTorch {version} {mode}", theirs[version][mode][-1])
                    theirs_mib[version] = max(theirs_mib[version], t["peak_mib"])
    for version, modes in theirs.items():
        print_row(name, dtype, version, args, (ours, ours_mib), (modes, theirs_mib[version]))
    times = ([] if args.theirs_only else [ours]) + [modes.get(mode, []) for modes in theirs.values() for mode in modes_wanted]
    return all(len(t) == args.rounds for t in times)


def print_row(name, dtype, version, args, ours, theirs):
    batch = CUDA_BATCH if args.device == "cuda" else CASES[name][1]
    a = statistics.median(ours[0]) if ours[0] else None
    best = min((statistics.median(v) for v in theirs[0].values()), default=None)
    digits = 2 if args.device == "cuda" else 0
    cell = lambda seconds: [f"{seconds * 1e3:.{digits}f}", f"{batch / seconds:.0f}"] if seconds else ["failed", ""]
    row = [name, dtype, version, str(batch), *(["", ""] if args.theirs_only else cell(a)), *cell(best),
           f"{best / a:.2f}x" if a and best else "", "" if args.theirs_only else f"{ours[1]:.0f}", f"{theirs[1]:.0f}"]
    if args.device == "cuda":
        row.append(", ".join(f"{mode} {statistics.median(v) * 1e3:.2f}" for mode, v in theirs[0].items()))
    print("| " + " | ".join(row) + " |", flush=True)


def machine(args):
    if args.device == "cuda":
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    return f"{cpu}, {args.threads} threads{', CPU time' if args.cpu_time else ''}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--engine", default=f"{ROOT}/build/eb_engine")
    parser.add_argument("--python", action="append", help="an interpreter that has a PyTorch, again for another (default: "
                        "Debian's, with a card this one)")
    parser.add_argument("--modes", default="eager,compile,graph")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--theirs-only", action="store_true", help="measure PyTorch alone; our cells stay empty")
    parser.add_argument("--cases")
    parser.add_argument("--dtypes", help="of f32, bf16, " + ", ".join(PRECISIONS))
    args = parser.parse_args()
    cuda = args.device == "cuda"
    args.rounds = args.rounds or (1 if cuda else 3)
    args.steps = args.steps or (200 if cuda else 5)
    args.cases = args.cases or ("vgg16,preresnet101,resnet18,resnet50" if cuda else "vgg16,preresnet101,resnet18")
    args.dtypes = args.dtypes or ("bf16" if cuda else "f32,bf16")
    versions = {torch_version(python): python for python in args.python or [sys.executable if cuda else "/usr/bin/python3"]}
    print(f"{time.strftime('%Y-%m-%d')}, {machine(args)}, {args.rounds} rounds of {args.steps} steps\n")
    columns = ["network", "precision", "PyTorch", "batch", "ours ms", "ours images/s", "PyTorch ms", "PyTorch images/s", "speed-up",
               "ours MiB", "PyTorch MiB"] + (["PyTorch by mode, ms"] if cuda else [])
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    complete = [compare(name, dtype, versions, args) for name in args.cases.split(",") for dtype in args.dtypes.split(",")]
    return 0 if all(complete) else 1


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--worker":
        _, _, device, name, dtype, steps, threads, mode = sys.argv
        if device == "cuda":
            cuda_worker(name, dtype, int(steps), mode)
        else:
            cpu_worker(name, dtype, int(steps), int(threads), mode)
    else:
        sys.exit(main())

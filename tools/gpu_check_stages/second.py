"""The second call on a card: sanitizers, 8 bit, torch.compile, training on real images."""
import json
import os
import re
import shutil
import time

from . import first, kernels, process, suites

CHECKS = ("memcheck", "synccheck", "racecheck")
# Small tests of each kind of kernel: a sanitizer slows them down ten to fifty times.
SANITIZED = re.compile(r"(Elementwise|Reduce|TopkMask|Sgd|Pool2d|BatchNorm|Conv2dCase|Linear|Quantize|RoundBlocks|Conv2dInt8)"
                       r"(?!.*(several_blocks|[Ss]ame_?[Bb]its|Onednn|Oracle|unbiased|any_size|large))")
SANITIZED_EACH = 6  # of a suite


def lift(result, name, part):
    """What the time did not reach in a part of a stage."""
    if part.get("cut_short"):
        result.setdefault("cut_short", []).append(f"{name}: {', '.join(part['cut_short'])}")


def sanitize(call, seconds, result):
    """memcheck, synccheck and racecheck over the first small tests of each suite. Where the tool is missing or refused, that is said."""
    tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if not os.access(tool, os.X_OK):
        result["left_out"] = "no compute-sanitizer on this machine"
        return True
    end = time.monotonic() + seconds
    few = {}
    for suite, names in suites.list_tests(call, "test_kernels").items():
        if small := [n for n in names if SANITIZED.search(n) and not first.HOST_ONLY.search(n)]:
            few[suite] = small[::max(1, len(small) // SANITIZED_EACH)][:SANITIZED_EACH]
    well = True
    for i, check in enumerate(CHECKS):
        deadline = time.monotonic() + (end - time.monotonic()) / (len(CHECKS) - i)
        result[check] = {}
        suites.run_batches(call, suites.batches("test_kernels", few), call.seconds(60), deadline, result[check],
                           (tool, "--tool", check, "--error-exitcode", "9"))
        well = suites.all_well(result[check]) and well
        lift(result, check, result[check])
    return well


def sanitize_jobs(call):
    return [(f"compute-sanitizer --tool {check}, up to {SANITIZED_EACH} tests of a suite, {call.workers} suites at a time", 60)
            for check in CHECKS]


def precision_command(call, network):
    return [call.build / "eb_engine", "bench", "step", f"models/{network}.json", "--device", call.device, "--dtype", "bf16", "--batch",
            "256", "--steps", "50", "--seconds", f"{call.seconds(2):g}", "--each-precision", "--json"]


def eight_bit(call, seconds, result):
    """Quantisers and int8 convolutions, steps in each precision, and PyTorch's simulation of it."""
    end = time.monotonic() + seconds
    well = True
    rows = result.setdefault("precisions", [])
    for network in ("vgg16", "resnet50"):
        left = end - time.monotonic()
        outcome = process.run(precision_command(call, network), min(call.seconds(25), left), env=call.env, cwd=call.root,
                              log=call.results.log_of(f"precisions {network}"))
        if first.cut_short(result, network, outcome, call.seconds(25), left):
            continue
        try:
            if outcome.status:
                raise ValueError(outcome.how())
            for row in json.loads(outcome.out):
                rows.append({"network": network, **{k: row[k] for k in ("precision", "step_ms", "images_per_s", "activation_mib")}})
                call.results.row("eight_bit", rows[-1])
        except (ValueError, KeyError, TypeError) as e:
            rows.append({"network": network, "failed": f"{e}: {outcome.tail(4)}"[:600]})
            well = False
        call.results.save()
    left = end - time.monotonic()
    result["kernels"] = {}
    well = kernels.bench(call, 0.55 * left, result["kernels"], "eight_bit", kernels.EIGHT_BIT) and well
    result["torch"] = {}
    well = first.compare(call, end - time.monotonic(), result["torch"], "eager", "swalp8", ("vgg16", "resnet50"), 50) and well
    for part in ("kernels", "torch"):
        lift(result, part, result[part])
    return well


def eight_bit_jobs(call):
    return ([(f"bench step {network} --each-precision", 25) for network in ("vgg16", "resnet50")] +
            [(f"bench kernels: {what}", 45) for what, _ in kernels.EIGHT_BIT] +
            ([(f"compare_torch.py --dtypes swalp8 --cases {network}", 50) for network in ("vgg16", "resnet50")] if call.python else []))


def compile(call, seconds, result):
    """Steps of the networks by torch.compile (max-autotune), which tunes for minutes on the deep ones."""
    return first.compare(call, seconds, result, "compile", "bf16", first.NETWORKS, 1e9)


def compile_jobs(call):
    return [(f"compare_torch.py --modes compile --cases {network}, while there is time", 1e9) for network in first.NETWORKS] if call.python else [
        ("nothing: no Python with PyTorch was found", 0)]


def trainings(call):
    """(name, config, flags)."""
    yield "quickstart", "models/quickstart.json", []
    eight = ["--set", "precision.preset=swalp8"]
    if call.data:
        data = ["--dtype", "bf16", "--set", "data.kind=image_folder", "--set", f"data.root={call.data}", *call.set]
        yield "vgg16", "models/vgg16.json", data
        yield "vgg16, 8 bit", "models/vgg16.json", data + eight
    yield "quickstart, 8 bit", "models/quickstart.json", eight


def training(call, seconds, result):
    """Whole trainings, real ones where --data names images. One that the clock ends stops with a checkpoint and is no failure."""
    end = time.monotonic() + seconds
    well = True
    runs = result.setdefault("runs", {})
    for i, (name, config, flags) in enumerate(trainings(call)):
        left = end - time.monotonic() - call.seconds(6)
        if left < call.seconds(5):
            runs[name] = {"left_out": "no time left"}
            first.cut_short(result, name)
            continue
        folder = call.scratch / f"training_{i}"
        outcome = process.run([call.build / "eb_engine", "train", config, "--device", call.device, "--out", folder, *flags], left,
                              env=call.env, cwd=call.root, gentle=5, log=call.results.log_of(f"train {name}"))
        runs[name] = {"ok": outcome.status == 0 or outcome.timed_out, "ended_by_the_clock": outcome.timed_out,
                      "seconds": round(outcome.seconds, 1), "said": "\n".join(outcome.out.splitlines()[-16:]) or outcome.tail(10)}
        call.results.row("training", {"run": name, **runs[name]})
        well = well and runs[name]["ok"]
        shutil.rmtree(folder, ignore_errors=True)
        call.results.save()
    return well


def training_jobs(call):
    return [(f"train {name}", 1e9) for name, _, _ in trainings(call)] + (
        [] if call.data else [("(no --data: no training on real images)", 0)])

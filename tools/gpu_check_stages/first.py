"""The first call on a card: what the kernels compute, then how fast."""
import concurrent.futures
import filecmp
import json
import re
import time

from . import process, suites

NETWORKS = ("vgg16", "resnet50", "preresnet101", "resnet18")
NO_CUDNN = "EB5003"  # the engine's error where it has none
HOST_ONLY = re.compile(r"Oracle|Onednn|ThreadPool|Philox|PlanCache")  # of test_kernels
# From the plainest kernels to those that most likely hang: (name, suites, the share of the stage's time at which the group must have
# ended, how its tests make processes, seconds of each process, its tests in words).
GROUPS = [("plain", re.compile(r"(?!.*(Int8|Large|Hopper|Wgmma|Tma|OnCard))"), 0.45, suites.batches, 25, f"up to {suites.BATCH} tests"),
          ("int8", re.compile(r"(?!.*OnCard).*Int8"), 0.65, suites.batches, 25, f"up to {suites.BATCH} tests"),
          ("tiles", re.compile(r".*OnCard"), 0.85, suites.batches_by_tile, 10, "the tests of a tile"),
          ("hopper", re.compile(r"(?!.*(Int8|OnCard)).*(Large|Hopper|Wgmma|Tma)"), 1.0, suites.single, 25, "a test")]


def test_suites(call, seconds, result):
    """Every suite of test_kernels in processes of its own, those of the asynchronous units last and in small ones."""
    end = time.monotonic() + seconds
    tests = {suite: names for suite, names in suites.list_tests(call, "test_kernels").items() if not HOST_ONLY.search(suite)}
    start = time.monotonic()
    for _, belongs, share, batches, most, _ in GROUPS:
        group = {suite: names for suite, names in tests.items() if belongs.match(suite)}
        deadline = start + share * (end - start)
        suites.run_batches(call, batches("test_kernels", group), call.seconds(most), deadline, result)
    return suites.all_well(result)


def suites_jobs(call):
    return [(f"test_kernels, {name} suites: {tests} a process, {call.workers} at a time, {most} s each", most)
            for name, _, _, _, most, tests in GROUPS]


SHORT_RUNS = {  # name: (more flags, more environment)
    "first": ([], {}),
    "again": ([], {}),
    "EB_CUDA_SYNC": ([], {"EB_CUDA_SYNC": "1"}),
    "cudnn": (["--conv", "cudnn"], {}),
}


def short_run(call, name, limit):
    flags, environment = SHORT_RUNS[name]
    folder = call.scratch / f"short_{name}"
    outcome = process.run([call.build / "eb_engine", "train", "models/quickstart.json", "--device", call.device, "--max-steps", "40",
                           "--out", folder, *flags], limit, env={**call.env, **environment}, cwd=call.root,
                          log=call.results.log_of("train " + name))
    if name == "cudnn" and NO_CUDNN in outcome.err:
        return folder, {"ok": True, "seconds": round(outcome.seconds, 1), "left_out": "no cuDNN"}
    ok = outcome.status == 75  # stopped with a checkpoint
    return folder, {"ok": ok, "seconds": round(outcome.seconds, 1), **({} if ok else {"ended": outcome.how(), "log": outcome.tail(12)})}


def same_files(a, b):
    """Whether two runs left the same networks: None where one of them left none."""
    runs = [sorted(folder.glob("ckpt/*/model.safetensors")) for folder in (a, b)]
    if not all(runs) or len(runs[0]) != len(runs[1]):
        return None
    return all(filecmp.cmp(x, y, shallow=False) for x, y in zip(*runs))


def device(call, seconds, result):
    """Device tests of test_engine, a process each; then four short trainings, of which three have the same bits."""
    start = time.monotonic()
    result["same_bits"] = {}
    runs = {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # beside the tests: nothing here is timed
        futures = {name: pool.submit(short_run, call, name, min(call.seconds(25), 0.45 * seconds)) for name in SHORT_RUNS}
        try:
            tests = {suite: names for suite, names in suites.list_tests(call, "test_engine").items() if
                     suite.split("/")[-1].startswith("Device")}
            suites.run_batches(call, suites.single("test_engine", tests), call.seconds(20), start + 0.95 * seconds, result)
        finally:
            folders = {}
            for name, future in futures.items():
                folders[name], runs[name] = future.result()
            result["runs"] = runs
    result["same_bits"] = {name: same_files(folders["first"], folders[name]) for name in ("again", "EB_CUDA_SYNC")}
    return suites.all_well(result) and all(result["same_bits"].values()) and all(r["ok"] for r in runs.values())


def device_jobs(call):
    return [("test_engine, Device* tests, a process each", 20)] + [
        (f"train quickstart --max-steps 40, {name}", 25) for name in SHORT_RUNS]


STEP_SECONDS = 4  # of the timed steps; loading, choosing and recording come before


def cut_short(result, what, outcome=None, limit=0, left=0):
    """Notes that the time was over, before a command began or in its midst; where it ran into its own limit that is no lack of time."""
    if outcome and not (outcome.timed_out and left < limit):
        return False
    result.setdefault("cut_short", []).append(what)
    return True


def step_commands(call):
    for conv in ("ours", "cudnn"):
        for network in NETWORKS:
            yield network, conv, [call.build / "eb_engine", "bench", "step", f"models/{network}.json", "--device", call.device, "--dtype",
                                  "bf16", "--batch", "256", "--steps", "100", "--seconds", f"{call.seconds(STEP_SECONDS):g}", "--warmup", "3",
                                  "--conv", conv, "--json"]


def steps(call, seconds, result):
    """Training steps of the four networks, bf16, batch 256, with our convolutions and with cuDNN's."""
    end = time.monotonic() + seconds
    rows = result.setdefault("rows", [])
    for network, conv, command in step_commands(call):
        left = end - time.monotonic()
        row = {"network": network, "conv": conv}
        rows.append(row)
        if result.get("no_cudnn") and conv == "cudnn":
            row["left_out"] = "no cuDNN"
            continue
        if left < call.seconds(2):
            row["left_out"] = "no time"
            cut_short(result, f"{network} {conv}")
            continue
        limit = call.seconds(20)
        outcome = process.run(command, min(limit, left), env=call.env, cwd=call.root, log=call.results.log_of(f"step {network} {conv}"))
        if conv == "cudnn" and NO_CUDNN in outcome.err:
            result["no_cudnn"], row["left_out"] = True, "no cuDNN"
            continue
        if cut_short(result, f"{network} {conv}", outcome, limit, left):
            row["left_out"] = "no time"
            continue
        try:
            if outcome.status:
                raise ValueError(outcome.how())
            measured = json.loads(outcome.out)
            row.update({k: measured[k] for k in ("step_ms", "step_ms_min", "images_per_s", "batch", "dtype", "steps")},
                       peak_device_mib=measured.get("peak_device_mib"))
        except (ValueError, KeyError) as e:
            row["failed"] = f"{e}: {outcome.tail(4)}"[:600]
        call.results.row("steps", row)
        call.results.save()
    return all("failed" not in row for row in rows)


def steps_jobs(call):
    return [(f"bench step {network} --dtype bf16 --batch 256 --steps 100 --seconds {STEP_SECONDS} --conv {conv}", 20) for network, conv, _ in step_commands(call)]


def fill_in_ours(call, row):
    """What was measured of the same step by this call or an earlier one in the same folder."""
    stages = call.results.data["stages"]
    ours = [r for r in stages.get("steps", {}).get("rows", []) if row.get("precision") == "bf16" and r["conv"] == "ours"]
    ours += [r for r in stages.get("eight_bit", {}).get("precisions", []) if row.get("precision") == "swalp8" and
             r.get("precision") == "swalp8 integer"]
    for r in ours:
        if r["network"] == row.get("network") and "step_ms" in r:
            row["ours ms"] = f"{r['step_ms']:.2f}"
            if r.get("peak_device_mib"):
                row["ours MiB"] = f"{r['peak_device_mib']:.0f}"
            if re.fullmatch(r"[\d.]+", row.get("PyTorch ms", "")):
                row["speed-up"] = f"{float(row['PyTorch ms']) / r['step_ms']:.2f}x"


def compare(call, seconds, result, modes, dtypes, networks, most):
    """tools/compare_torch.py, a network a process, PyTorch's part alone."""
    if not call.python:
        result["left_out"] = "no Python with PyTorch was found"
        return True
    end = time.monotonic() + seconds
    rows = result.setdefault("rows", [])
    for network in networks:
        left = end - time.monotonic()
        if left < call.seconds(5):
            cut_short(result, network)
            continue
        header, found = [], []

        def line(text):
            cells = [c.strip() for c in text.strip("|").split("|")]
            if not text.startswith("|") or set(text) <= set("|-"):
                return
            if not header:
                header.extend(cells)
                return
            row = dict(zip(header, cells))
            fill_in_ours(call, row)
            found.append(row)
            call.results.row(f"torch {modes}", row)

        outcome = process.run([call.python, "tools/compare_torch.py", "--device", call.device, "--theirs-only", "--steps", "50",
                               "--rounds", "1", "--modes", modes, "--dtypes", dtypes, "--cases", network],
                              min(call.seconds(most), left), env=call.env, cwd=call.root, on_line=line,
                              log=call.results.log_of(f"torch {network}"))
        rows += found
        if cut_short(result, network, outcome, call.seconds(most), left):
            continue
        if outcome.status or not found:
            rows.append({"network": network, "failed": f"{outcome.how()}: {outcome.tail(6)}"[:800]})
        call.results.save()
    return all("failed" not in row and row.get("PyTorch ms") != "failed" for row in rows)


def torch(call, seconds, result):
    """Steps of the same networks by PyTorch, eager and as a CUDA graph."""
    return compare(call, seconds, result, "eager,graph", "bf16", NETWORKS, 60)


def torch_jobs(call):
    return [(f"compare_torch.py --modes eager,graph --cases {network}", 60) for network in NETWORKS] if call.python else [
        ("nothing: no Python with PyTorch was found", 0)]

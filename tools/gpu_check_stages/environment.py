"""The machine: card, driver, libraries, PyTorch, and what the binaries were made of."""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import sys
import time

from . import process

BINARIES = ("eb_engine", "test_kernels", "test_engine")
FIELDS = ("name", "driver_version", "compute_cap", "memory.total", "mig.mode.current", "compute_mode", "clocks.max.sm",
          "power.limit", "uuid")
# Without importing anything: where PyTorch is, its version, and where NVIDIA's libraries lie beside it.
LOOK_FOR_TORCH = """
import glob, importlib.util, json, sys
from importlib import metadata
spec = importlib.util.find_spec("torch")
folders = sorted({f for p in sys.path for f in glob.glob((p or ".") + "/nvidia/*/lib")})
names = [d.metadata["Name"] for d in metadata.distributions()]
versions = {n: metadata.version(n) for n in names if n and (n == "torch" or n.startswith(("nvidia-cudnn", "nvidia-cublas", "nvidia-nccl")))}
print(json.dumps({"has_torch": spec is not None, "folders": folders, "versions": versions}))
"""
ASK_TORCH = """
import json, torch
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(),
                  "sees_card": torch.cuda.is_available(), "libstdcxx_abi": torch.compiled_with_cxx11_abi()}))
"""


def nvidia_smi():
    """Its path; some containers mount it where PATH does not look."""
    return shutil.which("nvidia-smi") or next((p for p in ("/usr/local/nvidia/bin/nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi")
                                               if os.access(p, os.X_OK)), None)


def card(limit):
    """Fields of the card that CUDA calls 0 in the order of the bus, or None."""
    tool = nvidia_smi()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not tool or visible == "":
        return None
    one = ["-i", visible.split(",")[0]] if visible and not visible.startswith("MIG") else []
    for fields in (FIELDS, FIELDS[:4]):  # an older driver may not know all of them
        outcome = process.run([tool, *one, f"--query-gpu={','.join(fields)}", "--format=csv,noheader"], limit)
        if outcome.status == 0 and outcome.out.strip():
            return dict(zip(fields, (v.strip() for v in outcome.out.splitlines()[0].split(","))))
    return None


def find_python(limit, given=None):
    """(interpreter with PyTorch or None, what was found of it, folders of NVIDIA's libraries beside it)."""
    candidates = [given] if given else [sys.executable, shutil.which("python3"), shutil.which("python"), "/usr/bin/python3",
                                        "/opt/conda/bin/python", "/opt/venv/bin/python", "/usr/local/bin/python3"]
    folders, without_libraries = [], None
    for python in dict.fromkeys(c for c in candidates if c and os.access(c, os.X_OK)):
        outcome = process.run([python, "-c", LOOK_FOR_TORCH], limit)
        try:
            found = json.loads(outcome.out)
        except ValueError:
            continue
        folders += found["folders"]
        if found["has_torch"] and found["folders"]:
            return python, found["versions"], found["folders"]
        if found["has_torch"] and not without_libraries:  # one for CPUs, or one that keeps them elsewhere
            without_libraries = (python, found["versions"])
    return (*(without_libraries or (None, {})), folders)


def provenance(build):
    try:
        return json.loads((build / "provenance.json").read_text())
    except (OSError, ValueError):
        return {}


def commit(root, made_of):
    """Of the binaries where they say so, else of the sources around them."""
    if made_of.get("commit"):
        return made_of["commit"]
    outcome = process.run(["git", "-C", root, "rev-parse", "HEAD"], 10)
    return outcome.out.strip() if outcome.status == 0 else "unknown"


def libraries(folders):
    """Environment for all children: NVIDIA's folders only, because a bundle's own libraries are found by its binaries alone."""
    path = [f for f in dict.fromkeys(folders)] + [f for f in os.environ.get("LD_LIBRARY_PATH", "").split(":") if f]
    env = {**os.environ, "LD_LIBRARY_PATH": ":".join(path), "CUDA_DEVICE_ORDER": "PCI_BUS_ID", "PYTHONUNBUFFERED": "1"}
    if tool := nvidia_smi():  # compare_torch.py asks it too
        env["PATH"] = os.environ.get("PATH", "") + ":" + os.path.dirname(tool)
    return env


def newest_symbol(path, prefix):
    """The highest version PREFIX_x.y.z that a library defines."""
    try:
        found = set(re.findall(rb"\b%s_([\d.]+)\b" % prefix.encode(), pathlib.Path(path).read_bytes()))
        return ".".join(map(str, max(tuple(map(int, v.split(b"."))) for v in found)))
    except (OSError, ValueError):
        return None


def ldd(call, binary):
    """What the loader does not find of a binary."""
    outcome = process.run(["ldd", call.build / binary], call.seconds(6), env=call.env, log=call.results.log_of("ldd " + binary))
    missing = [line.split("=>")[0].strip() for line in outcome.out.splitlines() if "not found" in line]
    return missing + ([outcome.tail(3)] if outcome.status else [])


def runs_here(made_of, info):
    """Whether a bundle has code for the card; None where it does not say."""
    targets = made_of.get("targets", "")
    sm = info.get("compute_cap", "").replace(".", "")
    if not targets or not sm:
        return None
    for target in targets.split(";"):
        m = re.match(r"(\d+)(a?)(-real|-virtual)?$", target)
        if not m:
            continue
        same_generation = m[1][:-1] == sm[:-1] and int(m[1]) <= int(sm)
        if m[1] == sm or (not m[2] and same_generation) or (m[3] == "-virtual" and not m[2] and int(m[1]) <= int(sm)):
            return True
    return False


def stage(call, seconds, result):
    end = time.monotonic() + seconds

    def ask(name, command, most, parse=str.strip):
        limit = min(call.seconds(most), end - time.monotonic())
        outcome = process.run(command, limit, env=call.env, cwd=call.root, log=call.results.log_of(name))
        if outcome.timed_out:
            raise TimeoutError(outcome.how())
        if outcome.status:
            raise RuntimeError(f"{outcome.how()}: {outcome.tail(5)}")
        return parse(outcome.out)

    tool = nvidia_smi()
    questions = {
        "nvidia_smi": lambda: ask("nvidia-smi", [tool], 15, lambda out: "in log.txt"),
        "cards": lambda: ask("nvidia-smi -L", [tool, "-L"], 15),
        "version": lambda: ask("version", [call.build / "eb_engine", "version", "--json"], 20, json.loads),  # it loads libraries
        "missing_libraries": lambda: {b: m for b in BINARIES if (m := ldd(call, b))},
    }
    then = {}  # not beside what loads the same libraries from the same disk
    if call.python:
        then["torch"] = lambda: ask("torch", [call.python, "-c", ASK_TORCH], 30, lambda out: json.loads(out.splitlines()[-1]))
    result.update(binaries=call.made_of or "built here", python=call.python or "no Python with PyTorch was found: nothing is compared with it",
                  torch_packages=call.torch_versions, nvidia_folders=call.folders, glibc=os.confstr("CS_GNU_LIBC_VERSION"),
                  cpu_cores=len(os.sched_getaffinity(0)), has_code_for_the_card=runs_here(call.made_of, call.card))
    system = next((p for p in ("/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/usr/lib64/libstdc++.so.6") if os.path.exists(p)), "")
    result["GLIBCXX"] = {"system": newest_symbol(system, "GLIBCXX"),
                         "bundle": newest_symbol(call.build / "lib/libstdc++.so.6", "GLIBCXX")}
    wrong, late = {}, []
    for group in (questions, then):
        with concurrent.futures.ThreadPoolExecutor(len(questions)) as pool:
            futures = {pool.submit(q): name for name, q in group.items()}
            for future in concurrent.futures.as_completed(futures):
                name = futures[future]
                try:
                    result[name] = future.result()
                except Exception as e:  # one answer less
                    wrong[name] = f"{type(e).__name__}: {e}"[:600]
                    late += [name] if isinstance(e, TimeoutError) else []
                call.results.save()
    if wrong:
        result["not_answered"] = wrong
    if late:
        result["cut_short"] = late
    mig = call.card.get("mig.mode.current", "") == "Enabled" or "MIG" in result.get("cards", "")
    result["mig"] = "on: shapes are cut for a whole card" if mig else "off"
    answered = "version" not in wrong or "version" in late
    return answered and not result.get("missing_libraries") and result["has_code_for_the_card"] is not False


def jobs(call):
    return [("nvidia-smi, ldd, eb_engine version --json, versions of PyTorch, cuDNN, libstdc++", 24)]

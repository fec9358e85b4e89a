"""What the machine code for sm_90a says of the kernels: check(BUILD_DIR) -> (kernels looked at, errors), or None without a cuobjdump
(from $EB_CUOBJDUMP, the PATH or an installed triton package).

A wide kernel (16 bytes a thread and access) must have loads and stores of 128 bits, and as many loads in a row before a store as it was
written for: the compiler moves no load above a store that may alias it, which is easily lost without a test failing.
"""
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess

TARGET = "sm_90a"
MEMORY = re.compile(r"\b(LDG|STG|LDL|STL|BRA|EXIT)((?:\.\w+)*)")
WIDE = r"<(?:eb::kernels::bf16, 8|float, 4)\b"
# Source, kernel, instructions that it must have, loads of 128 bits before a store.
RULES = (
    ("conv2d_forward", r"conv2d_pixels_kernel<.*Math, [48]\b", (r"HMMA", r"LDGSTS\S*\.128"), 0),
    ("conv2d_backward_data", r"conv2d_pixels_kernel<.*Math, [48]\b", (r"HMMA", r"LDGSTS\S*\.128"), 0),
    ("conv2d_backward_weight", r"conv2d_backward_weight_kernel<.*Math, [48]\b", (r"HMMA", r"LDGSTS\S*\.128"), 0),
    ("conv2d_coded_forward", r"conv2d_pixels_kernel<.*Math, 8\b", (r"HMMA", r"LDG\.E\.64", r"STS\.128"), 0),
    ("conv2d_coded_backward_data", r"conv2d_pixels_kernel<.*Math, 8\b", (r"HMMA", r"LDG\.E\.64", r"STS\.128"), 0),
    ("conv2d_coded_backward_weight", r"conv2d_backward_weight_kernel<.*Math, 8\b", (r"HMMA", r"LDG\.E\.64", r"STS\.128"), 0),
    ("conv2d_int8_forward", r"conv2d_int8_kernel<.*, 16\b", (r"IMMA", r"LDGSTS\S*\.128"), 0),
    ("conv2d_int8_backward_data", r"conv2d_int8_kernel<.*, 16\b", (r"IMMA", r"LDGSTS\S*\.128"), 0),
    ("conv2d_int8_hopper", r"conv2d_int8_hopper_kernel", (r"IGMMA", r"UTMALDG"), 0),
    ("conv2d_hopper", r"conv2d_hopper_kernel", (r"HGMMA", r"UTMALDG"), 0),
    ("conv2d_hopper_weight", r"conv2d_hopper_weight_kernel", (r"HGMMA", r"UTMALDG"), 0),
    ("conv2d_depthwise", r"depthwise_kernel<.*(?:bf16, 8|float, 4)>", (r"LDG\.E\.128", r"STG\.E\.128", r"LDS\.128"), 0),
    ("conv2d_depthwise_weight", r"depthwise_weight_kernel<.*bf16, 4>", (r"LDG\.E\.64",), 0),
    ("conv2d_depthwise_weight", r"depthwise_weight_kernel<.*float, 4>", (r"LDG\.E\.128",), 0),
    ("batch_norm_apply", r"apply_kernel" + WIDE, (r"STG\.E\.128",), 4),
    ("batch_norm_apply", r"apply_largest_kernel" + WIDE, (r"STG\.E\.128",), 4),
    ("batch_norm", r"statistics_kernel" + WIDE, (r"LDG\.E\.128",), 0),
    ("batch_norm_backward", r"apply_kernel" + WIDE, (r"STG\.E\.128",), 4),
    ("batch_norm_backward", r"sums_kernel" + WIDE, (r"LDG\.E\.128",), 0),
    ("elementwise", r"map_kernel<(\S+), \1, .*(?:Relu|Scale|Copy)>", (r"STG\.E\.128",), 2),
    ("elementwise", r"map_kernel<(\S+), \1, .*(?:ReluBackward|Add)>", (r"STG\.E\.128",), 4),
    ("elementwise", r"map_kernel<.*Fill>", (r"STG\.E\.128",), 0),
    ("sgd", r"step_kernel", (r"LDG\.E\.128", r"STG\.E\.128"), 0),
    ("pool2d", r"(?:forward|backward)_kernel" + WIDE, (r"LDG\.E\.128", r"STG\.E\.128"), 0),
    ("tree_sum", r"tree_sum_kernel", (r"LDG\.E\.128", r"STG\.E\.128"), 0),
    ("reduce", r"partials_kernel<.*true>", (r"LDG\.E\.128",), 0),
    ("image", r"crop_flip_normalize_kernel<float, 3, 4>", (r"STG\.E\.128",), 0),
    ("image", r"crop_flip_normalize_kernel<eb::kernels::bf16, 3, 4>", (r"STG\.E\.64",), 0),
)
# Nothing in these sources may live in local memory.
HOT = {source for source, *_ in RULES} | {
    "softmax_cross_entropy", "quantize", "round_blocks", "conv2d_int8_exact"}


def tool():
    """The path of cuobjdump, or None."""
    if named := os.environ.get("EB_CUOBJDUMP"):
        return named
    if found := shutil.which("cuobjdump"):
        return found
    spec = importlib.util.find_spec("triton")
    for folder in spec.submodule_search_locations if spec else ():
        path = pathlib.Path(folder) / "backends/nvidia/bin/cuobjdump"
        if path.exists():
            return str(path)
    return None


def functions(cuobjdump, path):
    """Mangled name -> SASS text of an object."""
    folder = str(pathlib.Path(cuobjdump).parent)  # of nvdisasm, which it calls
    run = subprocess.run([cuobjdump, "-sass", "-arch", TARGET, str(path)], capture_output=True, text=True,
                         env=os.environ | {"PATH": folder + os.pathsep + os.environ["PATH"]})
    if run.returncode:
        raise RuntimeError(f"{cuobjdump} {path}: {run.stderr.strip()}")
    parts = re.split(r"Function : (\w+)", run.stdout)
    return dict(zip(parts[1::2], parts[2::2]))


def readable(names):
    out = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return dict(zip(names, out.splitlines()))


def loads_before_store(body):
    """The most loads of 128 bits in a row that a store follows, with neither a store nor a branch between."""
    most = run = 0
    for name, suffix in MEMORY.findall(body):
        if name == "LDG":
            run += ".128" in suffix
        elif name == "STG":
            most, run = max(most, run), 0
        elif name in ("BRA", "EXIT"):
            run = 0
    return most


def check_source(source, bodies):
    names = readable(list(bodies))
    errors = []
    for rule_source, pattern, needs, loads in RULES:
        if rule_source != source:
            continue
        chosen = [name for name in bodies if re.search(pattern, names[name])]
        if not chosen:
            errors.append(f"{source}: no kernel matches {pattern}")
        for name in chosen:
            errors += [f"{source}: {names[name]}: no {need}" for need in needs if not re.search(need, bodies[name])]
            if (found := loads_before_store(bodies[name])) < loads:
                errors.append(f"{source}: {names[name]}: {found} wide loads before a store, {loads} expected")
    for name, body in bodies.items():
        if re.search(r"\b(?:LDL|STL)\b", body):
            errors.append(f"{source}: {names[name]}: local memory")
    return errors


def check(build):
    cuobjdump = tool()
    if not cuobjdump:
        return None
    seen, errors = 0, []
    for source in sorted(HOT):
        objects = list(build.glob(f"kernels/cuda/**/{source}.cu.o"))
        if not objects:
            errors.append(f"{source}: no object")
        for path in objects:
            bodies = functions(cuobjdump, path)
            seen += len(bodies)
            errors += check_source(source, bodies)
    return seen, errors

#!/usr/bin/env python3
"""What can be proven of the CUDA kernels without a card: static_test.py BUILD_DIR [--report FILE]

Reads the listings that kernels/cuda/keep_listing put into the objects and fails if a kernel was not compiled for a target, if a
kernel spills or a hot one exceeds its register budget, does not use the tensor cores, or loads its tiles by less than 128 bits.
Where a cuobjdump is to be had it reads the machine code too (sass.py).
--report writes a Markdown table of registers, spills and tensor-core instructions. Exit 77 (skipped) in a build without CUDA.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

import sass  # beside this file

# Kernels that take the time of a step; the mangled name must contain the text. Registers: 65,536 a processor over the threads
# that must be resident for two blocks (one of the large tile).
HOT = {"conv2d_pixels_kernel": 255, "conv2d_backward_weight_kernel": 255, "conv2d_int8_kernel": 255}
# Bytes, stores and loads. f32's large tile, backward-data: 24 of each on sm_90a at 128 registers; without them one block a processor.
SPILLS = {"conv2d_pixels_kernelINS1_9LargeTileENS1_7F32MathELi4ELb1E": 48}
MULTIPLY = {"conv2d_int8_kernel": "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32"}  # the others: any mma.sync
# Kernels for sm_90a alone, empty elsewhere. Registers: nine warps a block, so one of four register files of 16,384 holds three
# warps of one block (the tile of 256 rows) or five of two. Each needs these instructions in its PTX.
HOPPER = {"conv2d_hopper_kernel": "k16.f32.bf16.bf16", "conv2d_hopper_weight_kernel": "k16.f32.bf16.bf16",
          "conv2d_int8_hopper_kernel": "k32.s32.s8.s8"}
HOPPER_NEEDS = ("wgmma.mma_async.sync.aligned", "cp.async.bulk.tensor.4d.shared::cluster.global.im2col", "mbarrier.try_wait")
# ptxas says so where it orders wgmma one after the other, or drops setmaxnreg.
COMPLAINT = re.compile(r"\(C75\d\d\).*")
# Elements a copy moves stand behind the arithmetic: 128 bits of an operand, and less of x beside 128 bits of dy (an image's layer).
WIDE = re.compile(r"Math, ?\(?(?:int\))?(8|4)\b")
WIDE_INT8 = re.compile(r"conv2d_int8_kernel<.*, ?\(?(?:int\))?16\b")
IMAGE = re.compile(WIDE.pattern + r", ?\(?(?:int\))?[12]\b")
ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(\w+)'")
SPILL = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")


def targets_of(build):
    """The cards that the build compiles kernels for: "80-real;90a-real" -> (sm_80, sm_90a)."""
    cached = re.search(r"^EB_CUDA_ARCHITECTURES:\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.M)
    return tuple("sm_" + a.removesuffix("-real") for a in cached[1].split(";") if not a.endswith("-virtual"))


def read_objects(build):
    """Object -> {"ptxas": what ptxas said, "NAME.ptx": PTX of one target, ...}."""
    read = {}
    with tempfile.TemporaryDirectory() as work:
        for path in sorted(build.glob("kernels/cuda/**/*.cu.o")):
            listing = pathlib.Path(work) / "listing.tar"
            subprocess.run(["objcopy", f"--dump-section=.eb.listing={listing}", path, listing.with_suffix(".o")], check=True)
            with tarfile.open(listing) as tar:
                read[path] = {m.name: tar.extractfile(m).read().decode() for m in tar}
    return read


def listings(objects):
    """(kernel, target) -> {registers, stack, spills} over all objects."""
    found = {}
    for files in objects.values():
        key = None
        for line in files["ptxas"].splitlines():
            if m := ENTRY.search(line):
                key = m.groups()
                found[key] = {}
            elif key and (m := SPILL.search(line)):
                found[key].update(stack=int(m[1]), spills=int(m[2]) + int(m[3]))
            elif key and (m := USED.search(line)):
                found[key].update(registers=int(m[1]))
    return found


def bodies(objects, target):
    """Kernel -> its PTX text."""
    result = {}
    for files in objects.values():
        for name, text in files.items():
            if name.endswith(".ptx") and target in name:
                parts = re.split(r"\.entry (\w+)", text)
                result.update(zip(parts[1::2], parts[2::2]))
    return result


def check_hopper(objects, names, found):
    ptx = bodies(objects, "90a")
    errors = []
    for text, multiply in HOPPER.items():
        chosen = [name for name in names if text in name]
        if not chosen:
            errors.append(f"no kernel is called {text}")
        for name in chosen:
            budget = 168 if "HopperTileILi256ELi128" in name else 96  # one block on an SM, or two
            errors += [f"{name}: no {need} in its PTX" for need in (*HOPPER_NEEDS, multiply) if need not in ptx.get(name, "")]
            if found.get((name, "sm_90a"), {}).get("registers", 256) > budget:
                errors.append(f"{name}: more than {budget} registers")
    for path, files in objects.items():
        errors += [f"{path.name}: {m[0]}" for m in COMPLAINT.finditer(files["ptxas"])]
    return errors


def demangled(names):
    out = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return dict(zip(names, out.splitlines()))


def check(build):
    objects = read_objects(build)
    if not objects:
        print("no CUDA objects in", build, "- built without CUDA")
        sys.exit(77)
    targets = targets_of(build)
    found = listings(objects)
    if missing := [t for t in ("sm_80", "sm_90a") if t not in targets]:
        print(f"nothing was checked: this build compiles no kernels for {' and '.join(missing)} (EB_CUDA_ARCHITECTURES)")
        sys.exit(77)
    errors = []
    names = sorted({name for name, _ in found})
    for name in names:
        for target in targets:
            if (name, target) not in found:
                errors.append(f"{name}: not compiled for {target}")
    for (name, target), numbers in sorted(found.items()):
        budget = next((b for text, b in HOT.items() if text in name), None)
        if numbers.get("spills", 0) > next((allowed for text, allowed in SPILLS.items() if text in name), 0):
            errors.append(f"{name} ({target}): {numbers['spills']} bytes of spills")
        if budget and numbers.get("registers", 0) > budget:
            errors.append(f"{name} ({target}): {numbers['registers']} registers, budget {budget}")
    ptx = bodies(objects, "80")
    hot = [name for name in names if any(text in name for text in HOT)]
    readable = demangled(hot)
    for text in HOT:
        if not any(text in name for name in hot):
            errors.append(f"no kernel is called {text}")
    for name in hot:
        body = ptx.get(name, "")
        multiply = next((m for text, m in MULTIPLY.items() if text in name), "mma.sync.aligned")
        if multiply not in body:
            errors.append(f"{readable[name]}: no {multiply} in its PTX")
        wide = WIDE.search(readable[name]) or WIDE_INT8.search(readable[name])
        if wide and "Coded" in readable[name]:  # eight codes become 16 bytes on their way through registers
            errors += [f"{readable[name]}: no {need} in its PTX" for need in (r"ld\.global\S*\.v2", r"st\.shared\.v4")
                       if not re.search(need, body)]
        elif wide and not re.search(r"cp\.async\.cg\.shared\.global \[[^]]*\], \[[^]]*\], 16", body):
            errors.append(f"{readable[name]}: its tiles are not loaded by 128 bits")
    for math in ("Bf16Math", "Tf32Math", "F32Math"):
        if not any(IMAGE.search(text) and math in text for text in readable.values()):
            errors.append(f"no conv2d_backward_weight_kernel loads dy by 128 bits and x by less in {math}")
    errors += check_hopper(objects, names, found)
    return targets, found, ptx, errors


def report(targets, found, ptx, path):
    names = sorted({name for name, _ in found})
    readable = demangled(names)
    rows = ["| kernel | " + " | ".join(f"registers {t}" for t in targets) + " | spills | mma in PTX |",
            "|---|" + "---|" * (len(targets) + 2)]
    for name in names:
        short = re.sub(r"eb::kernels::cuda::|\(anonymous namespace\)::|\(.*", "", readable[name]).removeprefix("void ")
        numbers = [found.get((name, t), {}) for t in targets]
        rows.append(f"| `{short}` | " + " | ".join(str(n.get("registers", "-")) for n in numbers) +
                    f" | {sum(n.get('spills', 0) for n in numbers)} | {ptx.get(name, '').count('mma.sync')} |")
    path.write_text("\n".join(rows) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--report", type=pathlib.Path)
    arguments = parser.parse_args()
    targets, found, ptx, errors = check(arguments.build)
    if arguments.report:
        report(targets, found, ptx, arguments.report)
    if machine_code := sass.check(arguments.build):
        print(f"machine code of {machine_code[0]} kernels read")
        errors += machine_code[1]
    else:
        print("no cuobjdump (EB_CUOBJDUMP, PATH, triton): the machine code was not looked at")
    for error in errors:
        print(error)
    print(f"{len({n for n, _ in found})} kernels for {', '.join(targets)}, {len(errors)} errors")
    sys.exit(1 if errors else 0)


main()

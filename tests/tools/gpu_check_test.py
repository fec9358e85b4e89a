#!/usr/bin/env python3
"""tools/gpu_check without a card: a stub of nvidia-smi, and stubs of the binaries that abort, hang, talk, print half a line of JSON and
fill the disk. Each costs its own result and no other. Runs with an eighth of every limit, the slow calls side by side."""
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types
import unittest

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
STUBS = ROOT / "tests/tools/gpu_check_stubs"
COMMIT = "0123456789abcdef"
FILES = {"gpu_check.json", "gpu_check.md", "bench.jsonl", "log.txt"}
STAGES = ("environment", "suites", "device", "steps", "torch", "kernels")


class Machine:
    """A folder with binaries, results and a place for temporary files; what is started is gone with it."""

    def __init__(self, folder, stub="", **environment):
        self.folder = pathlib.Path(folder)
        self.results, self.children = self.folder / "results", self.folder / "children"
        for name in ("build", "tmp"):
            (self.folder / name).mkdir()
        for name, stub_name in (("eb_engine", "eb_engine"), ("test_kernels", "test_program"), ("test_engine", "test_program")):
            shutil.copy(STUBS / stub_name, self.folder / "build" / name)
        (self.folder / "build/provenance.json").write_text(json.dumps({"commit": COMMIT, "targets": "90a-real"}))
        self.env = {**os.environ, "PATH": f"{STUBS}:{os.environ['PATH']}", "STUB": stub, "STUB_CHILDREN": str(self.children),
                    "TMPDIR": str(self.folder / "tmp"), "EB_GPU_CHECK_SCALE": "0.12", "CUDA_VISIBLE_DEVICES": "0", **environment}

    def start(self, *args, **kwargs):
        return subprocess.Popen([ROOT / "tools/gpu_check", "--build", self.folder / "build", "--results", self.results, "--python",
                                 STUBS / "python_with_torch", *args], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, cwd=self.folder, **kwargs)

    def run(self, *args, **kwargs):
        process = self.start(*args, **kwargs)
        self.out, self.err = process.communicate(timeout=170)
        self.status = process.returncode
        return self

    def data(self):
        return json.loads((self.results / "gpu_check.json").read_text())

    def stages(self):
        return self.data()["stages"]

    def rows(self, stage):
        lines = (self.results / "bench.jsonl").read_text().splitlines()
        return [row for row in map(json.loads, lines) if row["stage"] == stage and "ceilings" not in row]

    def pids(self):
        return [int(line) for line in self.children.read_text().split()] if self.children.exists() else []


def alive(pid):
    """Running, not merely waited for by nobody."""
    try:
        return "State:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (24_000, 24_000))


CALLS = {  # name: (mischief, arguments, environment, more of Popen)
    "plain": ("", (), {}, {}),
    "aborts": ("vgg16=abort,resnet50=half,kernels=abort", (), {"STUB_TORCH": "resnet50"}, {}),
    "hangs": ("resnet18=hang,kernels=hang,train=hang", (), {}, {}),
    "half": ("kernels=half", ("--stage", "environment", "--stage", "kernels"), {}, {}),
    "no_ceilings": ("ceilings=hang", ("--stage", "kernels"), {}, {}),
    "no_cudnn": ("step=no_cudnn,train=no_cudnn", ("--stage", "device", "--stage", "steps"), {}, {}),
    "short": ("version=hang", ("--stage", "environment", "--stage", "torch", "--minutes", "1"), {"STUB_TORCH_HANGS": "preresnet101"}, {}),
    "second": ("", ("--second", "--data", "/images"), {}, {}),
    "small_disk": ("", (), {}, {"preexec_fn": limit_files}),
}


class GpuCheck(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="gpu_check_test_")
        cls.calls = {}
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for name, (stub, args, environment, more) in CALLS.items():
                (pathlib.Path(cls.folder.name) / name).mkdir()
                machine = Machine(f"{cls.folder.name}/{name}", stub, **environment)
                cls.calls[name] = pool.submit(machine.run, *args, **more)
        cls.calls = {name: future.result() for name, future in cls.calls.items()}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def machine(self, name, stub="", **environment):
        (pathlib.Path(self.folder.name) / name).mkdir()
        return Machine(f"{self.folder.name}/{name}", stub, **environment)

    def check_files(self, call, fewer=()):
        self.assertEqual({p.name for p in call.results.iterdir()}, FILES - set(fewer), call.err)
        self.assertLessEqual(len((call.results / "gpu_check.md").read_text()), 12_000)
        self.assertEqual(list((call.folder / "tmp").iterdir()), [], "nothing is left elsewhere")

    def states(self, call):
        return {name: call.stages()[name]["state"] for name in call.stages()}

    def test_each_bad_test_costs_its_own_name(self):
        call = self.calls["plain"]
        self.check_files(call)
        self.assertEqual(call.status, 1, call.err)
        self.assertEqual(self.states(call), {s: "failed" if s == "suites" else "ok" for s in STAGES}, call.out)
        suites = call.stages()["suites"]
        self.assertEqual({f["test"]: f["state"] for f in suites["failed"]},
                         {"Aborts.aborts": "crashed", "Cases/Hangs.hangs/1": "hung", "Fails.fails": "failed", "Faults.faults": "crashed",
                          "All/Conv2dLarge.hangs/b": "hung"})
        self.assertEqual(suites["total"], {"passed": 15, "failed": 1, "crashed": 2, "hung": 2})
        self.assertEqual(suites["suites"]["Aborts"], {"passed": 2, "crashed": 1}, "the rest of the suite ran")
        self.assertEqual(suites["suites"]["Faults"], {"passed": 2, "crashed": 1}, "behind a fault the context is new")
        said = {f["test"]: "\n".join(f["said"]) for f in suites["failed"]}
        self.assertIn("about to abort", said["Aborts.aborts"])
        self.assertIn("expected 1, got 2", said["Fails.fails"])
        self.assertEqual(call.stages()["device"]["total"], {"passed": 3}, "the engine's device tests and no others")
        self.assertEqual(call.stages()["device"]["same_bits"], {"again": True, "EB_CUDA_SYNC": True})
        self.assertEqual(len(call.rows("steps")), 8)
        self.assertEqual([(r["network"], r["conv"]) for r in call.rows("steps")],
                         [(n, conv) for conv in ("ours", "cudnn") for n in ("vgg16", "resnet50", "preresnet101", "resnet18")])
        self.assertEqual([(r["ours ms"], r["speed-up"]) for r in call.rows("torch eager,graph")], [("10.00", "1.50x")] * 4)
        self.assertEqual(len(call.rows("kernels")), 24)
        self.assertAlmostEqual(call.stages()["kernels"]["summary"]["families"]["conv2d_forward vgg16 p=0"]["geomean"], 1.2)
        self.assertEqual(call.data()["commit"], COMMIT)
        self.assertTrue(call.pids())
        self.assertFalse([pid for pid in call.pids() if alive(pid)], "a limit ends the whole group")

    def test_the_summary_says_what_matters(self):
        call = self.calls["plain"]
        text = (call.results / "gpu_check.md").read_text()
        for part in ("Stub card", COMMIT[:10], "| suites | failed |", "crashed: `Aborts.aborts`", "expected 1, got 2", "| vgg16 | 10.00 | 25600 |",
                     "1.50x", "| conv2d_forward vgg16 p=0 | 6 | 1.20x |", "mig: off", "hung: `Cases/Hangs.hangs/1`"):
            self.assertIn(part, text)
        self.assertIn(text, call.out)

    def test_what_aborts_costs_its_row(self):
        call = self.calls["aborts"]
        self.check_files(call)
        self.assertEqual(self.states(call), {"environment": "ok", "suites": "failed", "device": "ok", "steps": "failed", "torch": "failed",
                                             "kernels": "failed"})
        failed = {(r["network"], "failed" in r) for r in call.rows("steps")}
        self.assertEqual(failed, {("vgg16", True), ("resnet50", True), ("preresnet101", False), ("resnet18", False)})
        kernels = call.stages()["kernels"]
        self.assertEqual([(b["case"], b["state"]) for b in kernels["broken"]], [("conv2d_forward vgg16 p=0 layer2", "exit -6")])
        self.assertEqual(len(call.rows("kernels")), 23, "all other cases were measured")
        rows = call.stages()["torch"]["rows"]
        self.assertEqual([r["network"] for r in rows if "failed" not in r], ["vgg16", "resnet50", "preresnet101", "resnet18"])
        self.assertEqual([r["network"] for r in rows if "failed" in r], ["resnet50"], "exit 1 of compare_torch.py")

    def test_what_hangs_costs_its_limit(self):
        call = self.calls["hangs"]
        self.check_files(call)
        self.assertEqual(self.states(call), {"environment": "ok", "suites": "failed", "device": "failed", "steps": "failed", "torch": "ok",
                                             "kernels": "failed"})
        self.assertEqual(call.stages()["device"]["total"], {"passed": 3}, "beside trainings that hang")
        self.assertEqual(call.stages()["kernels"]["broken"][0]["state"], "hung")
        self.assertEqual(len(call.rows("kernels")), 23)
        self.assertEqual(sum("failed" not in r for r in call.rows("steps")), 6)
        self.assertFalse([pid for pid in call.pids() if alive(pid)])

    def test_half_a_line_is_no_row(self):
        call = self.calls["half"]
        self.check_files(call)
        kernels = call.stages()["kernels"]
        self.assertEqual(kernels["state"], "failed")
        self.assertEqual(kernels["lines_that_are_no_json"], 1)
        self.assertEqual(kernels["broken"][0]["case"], "conv2d_forward vgg16 p=0 layer2")
        self.assertEqual(len(call.rows("kernels")), 23)

    def test_ceilings_that_hang_cost_no_row(self):
        call = self.calls["no_ceilings"]
        self.check_files(call)
        kernels = call.stages()["kernels"]
        self.assertEqual([(b["case"], b["state"]) for b in kernels["broken"]], [("ceilings", "hung")])
        self.assertEqual(len(call.rows("kernels")), 24)
        self.assertFalse([r for r in call.rows("kernels") if "share_of_ceiling" in r])
        self.assertIn("| conv2d_forward vgg16 p=0 | 6 | 1.20x | 1.20x |  |", (call.results / "gpu_check.md").read_text())

    def test_without_cudnn_that_part_is_left_out(self):
        call = self.calls["no_cudnn"]
        self.check_files(call)
        self.assertEqual((call.status, self.states(call)), (0, {"device": "ok", "steps": "ok"}), call.err)
        self.assertEqual([r["conv"] for r in call.rows("steps")], ["ours"] * 4)
        text = (call.results / "gpu_check.md").read_text()
        self.assertIn("| vgg16 | 10.00 | 25600 | no cuDNN |", text)
        self.assertIn("quickstart, cudnn: no cuDNN", text)

    def test_lack_of_time_is_told_and_no_failure(self):
        call = self.calls["short"]
        self.check_files(call)
        self.assertEqual((call.status, self.states(call)), (0, {"environment": "cut short", "torch": "cut short"}), call.err)
        self.assertIn("TimeoutError", call.stages()["environment"]["not_answered"]["version"])
        self.assertEqual([r["network"] for r in call.rows("torch eager,graph")], ["vgg16", "resnet50", "preresnet101"])
        self.assertEqual(call.stages()["torch"]["cut_short"], ["preresnet101", "resnet18"])
        self.assertIn("- torch, no time: preresnet101; resnet18", call.out)

    def test_ceilings_are_measured_once(self):
        call = self.calls["plain"]
        lines = map(json.loads, (call.results / "bench.jsonl").read_text().splitlines())
        self.assertEqual(sum("ceilings" in line for line in lines), 1)
        self.assertEqual((call.results / "log.txt").read_text().count('"starts": "ceilings"'), 1)

    def test_the_second_call_has_its_stages(self):
        call = self.calls["second"]
        self.check_files(call)
        self.assertEqual(self.states(call), dict.fromkeys(("sanitize", "eight_bit", "compile", "training"), "ok"), call.out)
        self.assertEqual(call.stages()["sanitize"]["racecheck"]["total"], {"passed": 2})
        eight_bit = call.stages()["eight_bit"]
        self.assertEqual([(r["network"], r["precision"]) for r in eight_bit["precisions"]], [(n, p) for n in ("vgg16", "resnet50") for p in ("bf16", "swalp8 integer")])
        self.assertEqual(eight_bit["kernels"]["summary"]["rows"], 12)
        self.assertEqual([(r["ours ms"], r["speed-up"]) for r in eight_bit["torch"]["rows"]], [("10.00", "1.50x")] * 2)
        self.assertEqual(len(call.rows("torch compile")), 4)
        self.assertEqual(list(call.stages()["training"]["runs"]), ["quickstart", "vgg16", "vgg16, 8 bit", "quickstart, 8 bit"])
        text = (call.results / "gpu_check.md").read_text()
        for part in ("racecheck", "| vgg16 | bf16 | 10.00 |", "trained to the end"):
            self.assertIn(part, text)

    def test_a_log_without_space_costs_the_log(self):
        call = self.calls["small_disk"]
        self.assertIn("log.txt", call.data()["not_written"])
        self.assertEqual(set(call.stages()), set(STAGES))
        self.assertEqual(len(call.rows("kernels")), 24)
        self.assertIn("log.txt is not complete", call.err)

    def test_a_full_disk_leaves_what_was_there(self):
        mount = pathlib.Path(self.folder.name) / "tmpfs"
        mount.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", mount], capture_output=True).returncode:
            self.skipTest("a small file system cannot be mounted here")
        try:
            call = Machine(mount, "vgg16=fill", TMPDIR=str(mount / "results"))
            call.results.mkdir()
            call.run("--stage", "environment", "--stage", "steps", "--scratch", call.folder / "tmp")
            self.assertEqual(set(call.stages()), {"environment", "steps"}, call.err)
            self.assertEqual(self.states(call)["environment"], "ok")
            self.assertIn("steps failed", call.out)
            self.assertIn("| resnet50 | 10.00 |", call.out, "the summary is printed whatever the disk holds")
        finally:
            subprocess.run(["umount", mount], check=True)

    def test_a_stage_that_raises_is_a_result(self):
        call = self.machine("raises")
        call.results.mkdir()
        (call.results / ".gpu_check.json.new").write_text("half of a fi")  # of a call that was killed
        (call.folder / "build/test_kernels").unlink()
        call.run("--stage", "suites", "--stage", "steps")
        self.assertEqual(self.states(call), {"suites": "error", "steps": "ok"})
        self.check_files(call)
        self.assertIn("RuntimeError: test_kernels --gtest_list_tests: exit 127", call.stages()["suites"]["traceback"])
        self.assertIn("test_kernels", (call.results / "gpu_check.md").read_text())
        again = call.run("--stage", "torch")
        self.assertEqual(self.states(again), {"suites": "error", "steps": "ok", "torch": "ok"}, "beside an earlier call's results")

    def end_in_the_middle(self, name, number):
        call = self.machine(name, "resnet18=hang")
        process = call.start("--stage", "environment", "--stage", "steps")
        try:
            for _ in range(400):
                if call.pids() or process.poll() is not None:
                    break
                time.sleep(0.05)
            process.send_signal(number)
            call.out, call.err = process.communicate(timeout=20)
            self.assertEqual(self.states(call)["environment"], "ok")
            self.assertEqual([r["network"] for r in call.rows("steps")], ["vgg16", "resnet50", "preresnet101"])
            self.assertIn("| preresnet101 | 10.00 |", (call.results / "gpu_check.md").read_text())
            return call, process.returncode
        finally:
            for pid in call.pids():
                if number == signal.SIGKILL and alive(pid):
                    os.kill(pid, signal.SIGKILL)

    def test_killed_in_the_middle_it_leaves_what_it_had(self):
        call, _ = self.end_in_the_middle("killed", signal.SIGKILL)
        self.assertEqual(self.states(call)["steps"], "running")

    def test_stopped_in_the_middle_it_sums_up(self):
        call, status = self.end_in_the_middle("stopped", signal.SIGTERM)
        self.assertEqual(status, 128 + signal.SIGTERM)
        self.assertEqual(self.states(call)["steps"], "interrupted")
        self.assertIn("| preresnet101 | 10.00 |", call.out)
        self.assertFalse([pid for pid in call.pids() if alive(pid)])
        self.check_files(call)

    def test_wrong_machines_and_folders_are_named(self):
        call = self.machine("wrong")
        call.env["CUDA_VISIBLE_DEVICES"] = ""
        self.assertEqual(call.run().status, 5)
        call.env["CUDA_VISIBLE_DEVICES"] = "0"
        call.results.mkdir()
        (call.results / "gpu_check.json").write_text('{"commit": "another", "card": {"name": "Stub card"}}')
        self.assertEqual(call.run().status, 2)
        self.assertIn("commit another, not " + COMMIT, call.err)
        (call.folder / "build/eb_engine").unlink()
        self.assertEqual(call.run().status, 5)
        self.assertIn("tools/bundle", call.err)

    def test_every_suite_is_in_one_group(self):
        sys.path.insert(0, str(ROOT / "tools"))
        from gpu_check_stages import first
        for suite, group in (("SoftmaxCrossEntropy", "plain"), ("All/Conv2dCase", "plain"), ("All/Conv2dInt8Case", "int8"), ("All/Conv2dInt8OnCard", "tiles"),
                             ("Conv2dInt8Large", "int8"), ("All/Conv2dLarge", "hopper"), ("All/Conv2dOnCard", "tiles"), ("WgmmaTiles", "hopper")):
            self.assertEqual([name for name, belongs, *_ in first.GROUPS if belongs.match(suite)], [group], suite)

    def test_every_family_is_timed_by_one_filter(self):
        sys.path.insert(0, str(ROOT / "tools"))
        from gpu_check_stages import kernels
        text = (ROOT / "tests/tools/bench_kernels_test.cpp").read_text()
        families = re.findall(r'"(\w+)"', re.search(r"families = \{(.*?)\}", text, re.S)[1])
        self.assertGreater(len(families), 30)
        for case in [f"{family} vgg16 p=0 layer" for family in families] + ["conv2d_forward vgg16 p=0.5 a", "conv2d_forward narrow 8->8 3x3"]:
            self.assertEqual(sum(bool(re.search(pattern, case)) for _, pattern in kernels.FIRST + kernels.EIGHT_BIT), 1, case)

    def test_cases_that_were_not_recorded_are_told(self):
        sys.path.insert(0, str(ROOT / "tools"))
        from gpu_check_stages import kernels, summary
        row = {"family": "compaction", "us": 1.0, "gb_per_s": 1.0}
        told = kernels.summarize([{**row, "name": "a"}, {**row, "name": "b", "launched": "lists"}, {**row, "name": "c", "launched": "more lists"}])
        self.assertIn("- 2 cases were launched one by one, the first compaction b: lists", summary.kernel_lines({"summary": told}))

    def test_a_tile_is_a_batch_and_wgmma_comes_last(self):
        sys.path.insert(0, str(ROOT / "tools"))
        from gpu_check_stages import suites
        tests = {s: [f"{s}.forward/{shape}_{tile}" for shape in ("padded_3x3", "sliced") for tile in ("wgmma_256x128", "mma_64x64", "mma_128x64")]
                 for s in ("All/Conv2dOnCard", "All/Conv2dInt8OnCard")}
        found = suites.batches_by_tile("test_kernels", {**tests, "OnCardAlone": ["OnCardAlone.probes"]})
        self.assertEqual([len(names) for _, _, names in found], [2, 2, 2, 2, 1, 2, 2])
        for _, suite, names in found:
            self.assertEqual(len({name.split("_", 1)[-1].replace("3x3_", "") for name in names}), 1, names)
            self.assertTrue(all(name.startswith(suite + ".") for name in names))
        self.assertEqual(["wgmma" in names[0] for _, _, names in found], [False] * 5 + [True] * 2)

    def test_a_batch_goes_on_behind_crashes_and_not_behind_hangs(self):
        call = self.machine("batch")
        sys.path.insert(0, str(ROOT / "tools"))
        from gpu_check_stages import suites
        stub = types.SimpleNamespace(build=call.folder / "build", root=ROOT, test_env={**call.env, "EB_TEST_DEVICE": "cuda"},
                                     results=types.SimpleNamespace(log_of=lambda tag: None))
        crashing = [f"Many.{'aborts' if i % 2 else 'passes'}_{i}" for i in range(14)]
        states, _ = suites.run_batch(stub, "test_kernels", crashing, 10, time.monotonic() + 60)
        self.assertEqual(states, {name: "crashed" if "aborts" in name else "passed" for name in crashing})
        hanging = ["Many.passes_0", "Many.hangs_1", "Many.hangs_2", "Many.hangs_3", "Many.passes_4"]
        states, _ = suites.run_batch(stub, "test_kernels", hanging, 1, time.monotonic() + 60)
        self.assertEqual(list(states.values()), ["passed", "hung", "hung", "not run", "not run"])
        states, _ = suites.run_batch(stub, "test_kernels", crashing, 10, time.monotonic() + 0.5)
        self.assertEqual(set(states.values()), {"not reached"})
        states, _ = suites.run_batch(stub, "test_kernels", ["Many.hangs_1"], 10, time.monotonic() + 1.5)
        self.assertEqual(states, {"Many.hangs_1": "not reached"}, "a second and a half says nothing")
        states, _ = suites.run_batch(stub, "test_kernels", ["Many.hangs_1"], 4, time.monotonic() + 3)
        self.assertEqual(states, {"Many.hangs_1": "hung"})
        result = {"suites": {"Many": {"passed": 1, "not reached": 13}}}
        self.assertTrue(suites.all_well(result), "no time is no failure")
        self.assertEqual(result["cut_short"], ["13 tests were not reached"])

    def test_a_comparison_without_a_number_fails(self):
        done = subprocess.run([sys.executable, ROOT / "tools/compare_torch.py", "--engine", "/bin/false", "--python", STUBS / "python_with_torch",
                               "--cases", "vgg16", "--dtypes", "f32", "--rounds", "1"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout.splitlines()[-1].count("failed"), 2)

    def test_the_plan_fits(self):
        call = self.machine("plan")
        for args, names, left_out in (((), STAGES, "nothing"), (("--minutes", "8"), STAGES, "nothing"),
                                      (("--minutes", "2"), STAGES[:4] + STAGES[5:], "torch"), (("--minutes", "0.5"), ("environment",), None),
                                      (("--second",), ("sanitize", "eight_bit", "compile", "training"), "nothing"),
                                      (("--stage", "kernels", "--minutes", "1"), ("kernels",), "nothing")):
            call.run("--plan", *args)
            self.assertEqual(call.status, 0, call.err)
            lines = call.out.splitlines()
            shown = [line.split()[0] for line in lines[1:] if line[0] != " " and line.split()[1].isdigit()]
            self.assertEqual(tuple(n for n in shown if n not in ("start", "sum")), names, call.out)
            total, most = (int(word) for word in next(line for line in lines if line.startswith("sum")).replace("of", "").split()[1:])
            self.assertLessEqual(total, most)
            minutes = float(args[args.index("--minutes") + 1]) if "--minutes" in args else 8
            self.assertEqual(most, 60 * minutes)
            if left_out:
                self.assertEqual(lines[-1], "left out, no time: " + left_out)
        self.assertFalse(call.results.exists(), "a plan writes nothing")


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)

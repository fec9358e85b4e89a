"""Test programs, a batch of tests a process: what crashes or hangs costs its own name and nothing else."""
import concurrent.futures
import os
import re
import time

from . import process

BATCH = 200  # tests of one process
HANGS = 2  # of one batch: the rest of it is given up
SAID = 200  # failures whose first lines are in the results; the log has the rest
FINISHED = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] ([\w/]+\.[\w/]+)")
STARTED = re.compile(r"^\[ +RUN +\] ([\w/]+\.[\w/]+)")
# After these every call of the process fails: the tests behind the first of them say nothing.
FAULT = re.compile(r"cudaError(IllegalAddress|LaunchFailure|LaunchTimeout|MisalignedAddress|IllegalInstruction|InvalidPc|"
                   r"InvalidAddressSpace|HardwareStackError|Assert|ECCUncorrectable|Contained|Unknown)\b")
STATES = {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}


class Reader:
    """States of tests from GoogleTest's output, line by line."""

    def __init__(self):
        self.states, self.texts, self.running, self.since, self.fault = {}, {}, None, 0.0, None

    def line(self, line):
        if m := STARTED.match(line):
            self.running, self.since = m[1], time.monotonic()
            self.texts[m[1]] = []
        elif m := FINISHED.match(line):
            self.states[m[2]] = STATES[m[1]]
            if m[1] != "FAILED":
                self.texts.pop(m[2], None)
            self.running = None
        elif self.running and len(self.texts[self.running]) < 12:
            self.texts[self.running].append(line[:300])
        if self.running and not self.fault and FAULT.search(line):
            self.fault = self.running


def list_tests(call, binary):
    """{suite: [tests]} of a test program, in its order. Names tell the device, so it is asked as the tests are run."""
    found, suite = {}, ""
    outcome = process.run([call.build / binary, "--gtest_list_tests"], call.seconds(20), env=call.test_env, cwd=call.root)
    if outcome.status:
        raise RuntimeError(f"{binary} --gtest_list_tests: exit {outcome.status}\n{outcome.tail()}")
    for line in outcome.out.splitlines():
        name = line.split("#")[0].rstrip()
        if line.startswith("  ") and suite:
            found.setdefault(suite, []).append(suite + name.strip())
        elif re.fullmatch(r"[\w/]+\.", name):
            suite = name
    return {suite.rstrip("."): tests for suite, tests in found.items()}


def run_batch(call, binary, tests, limit, deadline, launcher=()):
    """({test: state}, {test: first lines of what it said}): again without each test that crashed, hung or broke the card's context,
    until the time is over or too much of it went into tests that hang."""
    states, texts, todo, left = {}, {}, list(tests), "not reached"
    while todo and (seconds := min(limit, deadline - time.monotonic())) >= limit / 10:
        reader = Reader()
        outcome = process.run([*launcher, call.build / binary, f"--gtest_filter={':'.join(todo)}"], seconds,
                              env=call.test_env, cwd=call.root, on_line=reader.line, log=call.results.log_of(todo[0][:70]))
        culprit = judge(reader, outcome, seconds, limit)
        if outcome.timed_out and not culprit and not reader.states:  # again it would be the same
            if seconds < limit:
                break
            return died(states, texts, todo, outcome)
        finished = reader.states
        if culprit and reader.fault:  # those before it count
            names = list(finished)
            finished = {name: finished[name] for name in names[:names.index(culprit)]} if culprit in finished else finished
        states.update(finished)
        texts.update({name: reader.texts.get(name, []) for name, state in finished.items() if state == "failed"})
        if not culprit:
            if outcome.status and not outcome.timed_out and "failed" not in finished.values():
                return died(states, texts, todo, outcome)
            if not outcome.timed_out:
                left = "not run"
                break
        else:
            name, state = culprit, crash_state(reader, outcome)
            states[name] = state
            texts[name] = reader.texts.get(name, [])[:8] + outcome.err.splitlines()[-6:] + [f"{state}, exit {outcome.status}"]
        todo = [name for name in todo if name not in states]
        if list(states.values()).count("hung") == HANGS:
            left = "not run"
            break
    for name in tests:
        states.setdefault(name, left)
    return states, texts


def judge(reader, outcome, seconds, limit):
    """The test that ended the process, if one did. A test in whose midst the time ended hangs if it had half of that time, and a
    quarter of the limit where less than that was left: a start alone takes a second."""
    if reader.fault:
        return reader.fault
    if outcome.timed_out:
        return reader.running if reader.running and time.monotonic() - reader.since > max(seconds / 2, limit / 4) else None
    return reader.running


def crash_state(reader, outcome):
    if reader.fault:
        return "crashed"
    return "hung" if outcome.timed_out else "crashed"


def died(states, texts, todo, outcome):
    """A process that ended badly outside any test, before the first one or after the last, or that never got through one."""
    for name in todo:
        states.setdefault(name, "not run")
    culprit = f"the process of {todo[0]} ({len(todo)} tests)"
    states[culprit] = "hung" if outcome.timed_out else "crashed"
    texts[culprit] = [f"{outcome.how()} outside any test"] + outcome.tail(6).splitlines()
    return states, texts


def run_batches(call, jobs, limit, deadline, result, launcher=()):
    """jobs: [(binary, suite, tests)], side by side, begun in this order. The table of suites and what failed grow in `result` as each
    one ends."""
    table, failed = result.setdefault("suites", {}), result.setdefault("failed", [])
    with concurrent.futures.ThreadPoolExecutor(call.workers) as pool:
        running = {pool.submit(run_batch, call, binary, tests, limit, deadline, launcher): (binary, suite, tests)
                   for binary, suite, tests in jobs}
        for future in concurrent.futures.as_completed(running):
            binary, suite, tests = running[future]
            try:
                states, texts = future.result()
            except Exception as e:  # one batch's trouble is not the others'
                states, texts = {name: "not run" for name in tests}, {}
                states[suite], texts[suite] = "crashed", [f"gpu_check: {type(e).__name__}: {e}"]
            counts = table.setdefault(suite, {})
            for name, state in states.items():
                counts[state] = counts.get(state, 0) + 1
                if state in ("failed", "crashed", "hung"):
                    failed.append({"test": name, "state": state, "program": binary, "said": texts.get(name, [])[:14] if len(failed) < SAID else []})
            call.results.save()


def batches(binary, tests_of, size=BATCH):
    return [(binary, suite, tests[i:i + size]) for suite, tests in tests_of.items() for i in range(0, len(tests), size)]


def single(binary, tests_of):
    return batches(binary, tests_of, 1)


def batches_by_tile(binary, tests_of):
    """Of suites that force a tile of the convolutions, whose tests are named ..._mma_64x64: a batch a tile, a batch for the rest; those
    that wait for asynchronous units (wgmma) last."""
    found = {}
    for suite, tests in tests_of.items():
        for test in tests:
            tile = re.search(r"_(wgmma|mma)_\d+x\d+$", test)
            found.setdefault((bool(tile) and tile[1] == "wgmma", suite, tile and tile[0]), []).append(test)
    return [(binary, suite, tests) for (_, suite, _), tests in sorted(found.items(), key=lambda item: item[0][0])]


def all_well(result):
    """Something passed, and nothing failed or was left behind what failed. What the time did not reach is told, and no failure."""
    total = {}
    for counts in result.get("suites", {}).values():
        for state, n in counts.items():
            total[state] = total.get(state, 0) + n
    result["total"] = total
    if n := total.get("not reached"):
        result.setdefault("cut_short", []).append(f"{n} tests were not reached")
    return total.get("passed", 0) > 0 and not any(total.get(s) for s in ("failed", "crashed", "hung", "not run"))


def workers():
    """Oracles in double are the cost of a test: half of the cores, and not so many that the card's memory is short."""
    return max(2, min(8, len(os.sched_getaffinity(0)) // 2))

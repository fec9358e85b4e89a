"""Processes that end: each is the head of a group of its own, which is killed as a whole when its time is over."""
import collections
import os
import signal
import subprocess
import threading
import time

KEPT_BYTES = 1 << 20  # of each stream, the last ones
LINE_BYTES = 1 << 16  # a line without an end is taken in pieces of this size

_alive = set()
_lock = threading.Lock()
_stopping = threading.Event()


class Stopped(RuntimeError):
    """No process is started any more."""


class Outcome:
    """What is left of a process: exit status (negative: the signal; 124: out of time; 127: not started), both streams, seconds."""

    def __init__(self, status, out, err, seconds, stalled=False):
        self.status, self.out, self.err, self.seconds, self.stalled = status, out, err, seconds, stalled

    @property
    def timed_out(self):
        return self.status == 124

    def how(self):
        """How it ended, in words."""
        return f"out of time after {self.seconds:.0f} s" if self.timed_out else f"exit {self.status}"

    def tail(self, lines=15):
        text = "\n".join(self.out.splitlines()[-lines:] + self.err.splitlines()[-lines:])
        return text[-4000:] or "no word"


class _Kept:
    """The last lines of a stream."""

    def __init__(self):
        self.lines, self.bytes = collections.deque(), 0

    def add(self, line):
        self.lines.append(line)
        self.bytes += len(line)
        while self.bytes > KEPT_BYTES and len(self.lines) > 1:
            self.bytes -= len(self.lines.popleft())

    def text(self):
        return b"".join(list(self.lines)).decode(errors="replace")


def _read(stream, kept, on_line):
    """Until the last holder of the pipe is gone. What on_line does wrong must not stop the reading: the process would block."""
    for line in iter(lambda: stream.readline(LINE_BYTES), b""):
        kept.add(line)
        try:
            on_line(line.decode(errors="replace").rstrip("\r\n"))
        except Exception as e:  # the line is kept
            kept.add(f"[gpu_check: {type(e).__name__}: {e}]\n".encode())


def _signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def run(command, limit, env=None, cwd=None, on_line=None, log=None, gentle=0, stall=None):
    """Runs it for at most `limit` seconds, or until `stall` seconds passed without a line of its standard output (a function: asked each time). on_line gets each
    of these lines as it comes, from another thread; log each line of both streams. gentle: seconds between SIGTERM and SIGKILL
    once the time is over."""
    if _stopping.is_set():
        raise Stopped("the call is ending")
    start = time.monotonic()
    log = log or (lambda line: None)
    log("$ " + " ".join(map(str, command)))
    try:
        with _lock:
            process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=env, cwd=cwd, start_new_session=True)
            _alive.add(process)
        if _stopping.is_set():
            _signal_group(process, signal.SIGKILL)
    except OSError as e:
        log(str(e))
        return Outcome(127, "", str(e), 0.0)
    out, err = _Kept(), _Kept()
    last = [start]

    def line_of_out(line):
        last[0] = time.monotonic()
        log(line)
        if on_line:
            on_line(line)

    readers = [threading.Thread(target=_read, args=a, daemon=True)
               for a in ((process.stdout, out, line_of_out), (process.stderr, err, log))]
    for reader in readers:
        reader.start()
    is_stalled = lambda: stall and time.monotonic() - last[0] > (stall() if callable(stall) else stall)
    stalled = _wait(process, start + limit, is_stalled)
    status = process.returncode if process.poll() is not None else _end(process, gentle)
    _signal_group(process, signal.SIGKILL)  # whoever it left behind would go on using the card
    with _lock:
        _alive.discard(process)
    for reader in readers:
        reader.join(2)  # longer only where somebody outside the group holds the pipe
    seconds = time.monotonic() - start
    log(f"[exit {status} after {seconds:.1f} s]")
    return Outcome(status, out.text(), err.text(), seconds, stalled)


def _wait(process, end, is_stalled):
    """Until it ended, the time is over, or it stalls, which is what is returned."""
    while (left := end - time.monotonic()) > 0:
        try:
            process.wait(min(left, 0.25))
            return False
        except subprocess.TimeoutExpired:
            if is_stalled():
                return True
    return False


def _end(process, gentle):
    for number, seconds in ([(signal.SIGTERM, gentle)] if gentle else []) + [(signal.SIGKILL, 5)]:
        _signal_group(process, number)
        try:
            process.wait(seconds)
            break
        except subprocess.TimeoutExpired:  # in the driver, where no signal reaches it: not waited for
            continue
    return 124


def kill_all(for_good=False):
    """Ends every process that runs; for_good: none is started after this."""
    if for_good:
        _stopping.set()
    for process in list(_alive):
        _signal_group(process, signal.SIGKILL)

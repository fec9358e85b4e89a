"""`eb_engine watch` at the other end of a pseudo-terminal: draws, follows the size, reacts to q, Ctrl-C, Ctrl-\\ and signals,
puts the terminal back as it was, is not stopped on a screen of its own, and ends with the run."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import tempfile
import termios
import time

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


def write(path, text):
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)


def set_status(run, exit_code):
    write(os.path.join(run, "status.json"), json.dumps({
        "exit_code": exit_code, "pid": os.getpid(), "host": os.uname().nodename, "heartbeat": "2026-01-02T03:04:05Z"}))


def make_run(directory, epochs):
    """The lock that says that it goes on."""
    lock = open(os.path.join(directory, "run.lock"), "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    write(os.path.join(directory, "config.resolved.json"), json.dumps({
        "name": "pty\x1b]0;evil\x07", "train": {"duration": "20ep"}, "early_bird": {"threshold": 0.1}}))
    lines = [{"split": "epoch", "epoch": e, "step": 10 * e, "phase": "search", "train/loss": 2 / e, "test/loss": 2.1 / e,
              "train/top1": 1 - 0.9 / e, "test/top1": 1 - 1 / e, "perf/images_per_s": 1000 + e, "perf/seconds": 5,
              "eb/distance_p30": 0.6 / e, "eb/distance_p50": 0.5 / e} for e in range(1, epochs + 1)]
    write(os.path.join(directory, "metrics.jsonl"), "".join(json.dumps(line) + "\n" for line in lines))
    set_status(directory, None)
    return lock


STOPPED = 99


def run_as_a_shell_does(command, env, stdin):
    """A job in the foreground whose group has a parent that could continue it: only such a one can be stopped by a signal."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(1, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        if stdin:
            os.dup2(os.open(stdin, os.O_RDONLY), 0)
        os.execve(command[0], command, env)
    _, status = os.waitpid(job, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        os.kill(job, signal.SIGKILL)
        os._exit(STOPPED)
    os._exit(os.waitstatus_to_exitcode(status) % 256)


class Terminal:
    """A child with a terminal of its own; `seen` is all it wrote."""

    def __init__(self, command, rows=30, columns=120, shell=False, stdin=None, **variables):
        env = {"PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8", **variables}
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            if shell:
                run_as_a_shell_does(command, env, stdin)
            os.execve(command[0], command, env)
        self.seen, self.exit_code = b"", None

    def read(self, seconds=0.05):
        if not select.select([self.master], [], [], seconds)[0]:
            return
        try:
            self.seen += os.read(self.master, 65536)
        except OSError:  # the other end is closed
            time.sleep(seconds)

    def wait_for(self, what, seconds=10):
        end = time.time() + seconds
        while what not in self.seen:
            assert time.time() < end, (what, self.seen[-3000:])
            self.read()

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def finish(self, seconds=10):
        end = time.time() + seconds
        while self.exit_code is None:
            assert time.time() < end, ("still running", self.seen[-3000:])
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
        for _ in range(3):
            self.read(0.02)
        return self.exit_code


def frames(seen):
    return [f.split(b"\x1b[J")[0] for f in seen.split(b"\x1b[H")[1:]]


def visible(frame):
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", frame).decode()
    return [line.rstrip("\r") for line in text.split("\n")]


def check_fits(frame, rows, columns):
    lines = visible(frame)
    assert len(lines) <= rows, (len(lines), rows)
    assert all(len(line) < columns for line in lines), [len(line) for line in lines]


def check_restored(terminal, settings):
    assert terminal.seen.count(ENTER) == 1 == terminal.seen.count(LEAVE), terminal.seen[-500:]
    assert terminal.seen.rindex(b"\x1b[?25h") > terminal.seen.rindex(b"\x1b[?25l")
    assert termios.tcgetattr(terminal.master)[:6] == settings[:6]


def started(command, **variables):
    terminal = Terminal(command, **variables)
    settings = termios.tcgetattr(terminal.master)
    terminal.wait_for(b"\x1b[J")
    assert not termios.tcgetattr(terminal.master)[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
    return terminal, settings


def press(terminal, key):
    os.write(terminal.master, key)


def send(terminal, number):
    os.killpg(os.tcgetpgrp(terminal.master), number)


def check_quits(command):
    for name, stop in [("q", lambda t: press(t, b"q")), ("Ctrl-C", lambda t: press(t, b"\x03")),
                       ("Ctrl-\\", lambda t: press(t, b"\x1c"))] + [
                           (number.name, lambda t, number=number: send(t, number))
                           for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)]:
        terminal, settings = started(command)
        press(terminal, b"x")
        stop(terminal)
        assert terminal.finish() == 0, (name, terminal.exit_code, terminal.seen[-500:])
        check_restored(terminal, settings)


def check_is_not_stopped(command):
    """Neither where keys are read nor where stdin is no terminal and keys make signals."""
    for stdin in (None, "/dev/null"):
        for name, stop in [("Ctrl-Z", lambda t: press(t, b"\x1a")), ("SIGTSTP", lambda t: send(t, signal.SIGTSTP))]:
            terminal = Terminal(command, shell=True, stdin=stdin)
            settings = termios.tcgetattr(terminal.master)
            terminal.wait_for(b"\x1b[J")
            stop(terminal)
            terminal.seen, before = b"", terminal.seen
            terminal.wait_for(b"\x1b[J")  # it draws on
            press(terminal, b"\x1c")
            terminal.seen = before + terminal.seen
            assert terminal.finish() == 0, (name, stdin, terminal.exit_code, terminal.seen[-500:])
            check_restored(terminal, settings)


def check_draws_and_follows_the_size(command):
    terminal, _ = started(command)
    frame = frames(terminal.seen)[0]
    text = "\n".join(visible(frame))
    for words in ["pty]0;evil  search  epoch 6  step 60/200", "ETA 1m10s", "mask distance, threshold 0.1  p30 0.1  p50 0.08333",
                  "top-1 %", "loss", "images/s", "q quits"]:
        assert words in text, (words, text)
    assert any("\u2801" <= c <= "\u28ff" for c in text), text
    assert b"\x1b]" not in terminal.seen and b"\x1b[36m" in frame
    check_fits(frame, 30, 120)
    terminal.seen = b""
    terminal.resize(12, 50)
    terminal.wait_for(b"\x1b[2J")
    terminal.wait_for(b"\x1b[J")
    check_fits(frames(terminal.seen)[0], 12, 50)
    os.write(terminal.master, b"q")
    assert terminal.finish() == 0


def check_ends_with_the_run(command, run, lock):
    terminal, settings = started(command)
    set_status(run, 0)
    fcntl.flock(lock, fcntl.LOCK_UN)
    assert terminal.finish() == 0
    check_restored(terminal, settings)
    last = terminal.seen[terminal.seen.rindex(LEAVE):].decode()
    assert "finished" in last and "mask distance" in last, last
    over = Terminal(command)  # of a run that has ended: the picture stays, nothing is taken over
    assert over.finish() == 0
    assert ENTER not in over.seen and b"finished" in over.seen and b"mask distance" in over.seen
    set_status(run, None)
    fcntl.flock(lock, fcntl.LOCK_EX)
    terminal, settings = started(command)
    fcntl.flock(lock, fcntl.LOCK_UN)  # as when it is killed
    assert terminal.finish() == 0
    check_restored(terminal, settings)
    assert b"interrupted" in terminal.seen[terminal.seen.rindex(LEAVE):]
    fcntl.flock(lock, fcntl.LOCK_EX)


def check_environment(command):
    terminal, _ = started(command, NO_COLOR="1")
    os.write(terminal.master, b"q")
    assert terminal.finish() == 0
    assert not re.search(rb"\x1b\[[0-9]+m", terminal.seen.replace(b"\x1b[0m", b"")), terminal.seen[:500]
    terminal, _ = started(command, LC_ALL="C")
    os.write(terminal.master, b"q")
    assert terminal.finish() == 0
    assert terminal.seen.isascii() and b"|" in terminal.seen
    dumb = Terminal(command + ["--once"], TERM="dumb")
    assert dumb.finish() == 0
    assert b"\x1b" not in dumb.seen and dumb.seen.count(b"\r\nepoch") == 5, dumb.seen


def main(binary):
    with tempfile.TemporaryDirectory() as run:
        lock = make_run(run, 6)
        command = [os.path.abspath(binary), "watch", run, "--interval", "0.2"]
        check_draws_and_follows_the_size(command)
        check_quits(command)
        check_is_not_stopped(command)
        check_ends_with_the_run(command, run, lock)
        check_environment(command)


main(sys.argv[1])

"""The results folder: four flat files, each complete at every instant, whatever becomes of the call."""
import json
import os
import sys
import threading

from . import summary

LOG_BYTES = 12 << 20  # of all commands together
LOG_BYTES_EACH = 512 << 10


class Results:
    """gpu_check.json and gpu_check.md are replaced as a whole, bench.jsonl and log.txt are appended to line by line."""

    def __init__(self, folder, data, fresh):
        self.folder, self.data = folder, data
        self.logged, self.warned = 0, set()
        self.lock = threading.RLock()
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in folder.glob(".gpu_check.*.new"):
            left_over.unlink()
        if fresh:
            for name in ("bench.jsonl", "log.txt"):
                (folder / name).unlink(missing_ok=True)

    def row(self, stage, row):
        """One measurement, on disk when this returns."""
        self._append("bench.jsonl", json.dumps({"stage": stage, **row}) + "\n")

    def log_of(self, tag):
        """What writes lines of one command into the log."""
        written = [0]

        def write(line):
            line = line[:1000]
            size = len(line) + len(tag) + 3
            is_end = line.startswith(("$ ", "[exit"))
            with self.lock:
                if not is_end and (written[0] > LOG_BYTES_EACH or self.logged > LOG_BYTES):
                    return
                written[0] += size
                self.logged += size
                self._append("log.txt", f"{tag}| {line}\n")

        return write

    def save(self):
        """Both files from what is known; a disk that is full loses the log first, and never the previous state of the files."""
        with self.lock:
            text = json.dumps(self.data, indent=1, default=str) + "\n"
            for name, content in (("gpu_check.json", text), ("gpu_check.md", summary.render(self.data))):
                if not self._replace(name, content):
                    self._give_up_log()
                    self._replace(name, content)

    def _replace(self, name, content):
        new = self.folder / f".{name}.new"
        try:
            with open(new, "w") as f:
                f.write(content)
                f.flush()
                os.fsync(f.fileno())
            os.replace(new, self.folder / name)
            return True
        except OSError as e:
            self._warn(name, e)
            try:
                new.unlink(missing_ok=True)
            except OSError:
                pass
            return False

    def _append(self, name, text):
        """One write: a line is there as a whole, or an end of it is missing, which readers of bench.jsonl skip."""
        with self.lock:
            try:
                fd = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
                try:
                    data = text.encode()
                    size = os.fstat(fd).st_size
                    if os.write(fd, data) != len(data):
                        os.ftruncate(fd, size)
                        raise OSError("no space for a line")
                finally:
                    os.close(fd)
            except OSError as e:
                self._warn(name, e)

    def _give_up_log(self):
        try:
            os.truncate(self.folder / "log.txt", 0)
        except OSError:
            pass

    def _warn(self, name, e):
        """Once for each file; the call goes on, and its summary is printed too."""
        self.data.setdefault("not_written", {})[name] = str(e)
        if name not in self.warned:
            self.warned.add(name)
            print(f"gpu_check: {name} is not complete: {e}", file=sys.stderr, flush=True)

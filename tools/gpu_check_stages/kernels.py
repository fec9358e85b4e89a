"""`bench kernels`, row by row until the time is over. A case that crashes or hangs is named and passed over."""
import json
import math
import re
import time

from . import process

# Each a process (and again behind a case that ended it), in this order.
FIRST = [  # what it is, the filter
    ("everything that is no convolution", r"^(batch_norm|linear|max_pool|avg_pool|softmax|sgd|augmentation|topk|compaction|elementwise|sum_of|"
     r"all_fin|tree_sum|conv2d_pack)"),
    ("dense convolutions of VGG16 and ResNet-50", r"^conv2d_(forward|backward_data|backward_weight) (vgg16|resnet50) p=0 "),
    ("convolutions of VGG16 and ResNet-50 at 0.5", r"^conv2d_(forward|backward_data|backward_weight) (vgg16|resnet50) p=0\.5 "),
    ("convolutions of the other networks and ratios",
     r"^conv2d_(forward|backward_data|backward_weight) (?!(vgg16|resnet50) p=0(\.5)? )"),
]
EIGHT_BIT = [
    ("quantisers", r"^(quantize|dequantize|round_blocks) "),
    ("int8 convolutions, dense, and of VGG16 at 0.5", r"^conv2d_int8\w* (\w+ p=0 |vgg16 p=0\.5 )"),
]
GROUP_SECONDS = 0.002  # each group runs twice, and the second time is measured
STALL_SECONDS = 6  # without a line: the case hangs
STALL_SECONDS_AT_FIRST = 15  # libraries are loaded, ceilings measured


class Lines:
    """What `bench kernels --json-lines` says, as it comes."""

    def __init__(self, call, stage, rows, result):
        self.call, self.stage, self.rows, self.result, self.shown = call, stage, rows, result, time.monotonic()
        self.case, self.at, self.ended, self.bad, self.has_row = None, -1, False, 0, False

    def line(self, text):
        try:
            value = json.loads(text)
            if "row" in value:
                self.rows.append(value["row"])
                self.case, self.has_row = None, True
                self.call.results.row(self.stage, value["row"])
                self.show()
            elif "starts" in value:
                self.case, self.at = value["starts"], value["at"]
            elif "ceilings" in value:
                self.case = None
                if "ceilings" not in self.result:  # else they were given
                    self.result["ceilings"] = value["ceilings"]
                    self.call.results.row(self.stage, value)
            elif "summary" in value:
                self.ended = True
        except (ValueError, TypeError, KeyError):
            self.bad += 1

    def stall(self):
        return self.call.seconds(STALL_SECONDS if self.has_row else STALL_SECONDS_AT_FIRST)

    def show(self):
        """The summary of what there is, every five seconds."""
        if time.monotonic() - self.shown > self.call.seconds(5):
            self.shown = time.monotonic()
            self.result["summary"] = summarize(self.rows)
            self.call.results.save()


def ceilings_flag(result):
    """They are measured by the first process of a stage alone; where that broke off, no row has a share of them."""
    if c := result.get("ceilings"):
        return ["--ceilings", f"{c['copy_gb_per_s']:.3f},{c['matrix_tflops']:.3f}"]
    return ["--ceilings", "none"] if result.get("without_ceilings") else []


def run_filter(call, stage, what, pattern, end, rows, result):
    """Whether the cases of one filter were all measured or the time ended: False where one broke off or nothing was measured."""
    skip, well, broken = 0, True, 0
    while (left := end - time.monotonic()) > call.seconds(3) and broken < 6:
        lines = Lines(call, stage, rows, result)
        outcome = process.run([call.build / "eb_engine", "bench", "kernels", "--device", call.device, "--dtype", "bf16", "--seconds",
                               str(GROUP_SECONDS), "--filter", pattern, "--skip", str(skip), "--json-lines", *ceilings_flag(result)],
                              left, env=call.env, cwd=call.root, on_line=lines.line, stall=lines.stall,
                              log=call.results.log_of(f"{stage} {pattern}"))
        if lines.bad:
            result["lines_that_are_no_json"] = result.get("lines_that_are_no_json", 0) + lines.bad
        if lines.ended and outcome.status == 0:
            return well and not lines.bad
        if outcome.timed_out and not outcome.stalled:
            result["ended_by_the_clock"] = True
            result.setdefault("cut_short", []).append(f"ended in {what}")
            return well
        well = False
        broken += 1
        result.setdefault("broken", []).append({"case": lines.case or "before the first case", "state": "hung" if outcome.stalled else
                                                f"exit {outcome.status}", "said": outcome.err[-600:]})
        call.results.save()
        if lines.case is None:
            break
        if lines.case == "ceilings":
            result["without_ceilings"] = True
        else:
            skip = lines.at + 1
    return well


def summarize(rows):
    """By family and place (network and ratio): geometric mean of the ratios to what stands beside; and the worst shapes."""
    groups, alone = {}, {}
    for row in rows:
        name = row["name"].split()
        key = f"{row['family']} {' '.join(name[:2]) if len(name) > 1 and name[1].startswith('p=') else ''}".strip()
        if "ratio" in row:
            groups.setdefault(key, []).append(row)
            channels = re.search(r" (\d+)->(\d+) ", row.get("shape") or "")
            if row["family"].startswith("conv2d_int8") and channels and min(map(int, channels.groups())) >= 256:
                groups.setdefault(f"{row['family']} from 256 channels", []).append(row)
        else:
            alone.setdefault(row["family"], []).append(row)
    table = {key: {"cases": len(found), "geomean": geomean([r["ratio"] for r in found]), "worst": min(r["ratio"] for r in found),
                   "share_of_ceiling": geomean(shares(found)), "beside": found[0].get("beside", "")}
             for key, found in groups.items()}
    without = {family: {"cases": len(found), "share_of_ceiling": geomean(shares(found)),
                        "worst_share": min(shares(found), default=None)} for family, found in alone.items()}
    worst = sorted((r for r in rows if "ratio" in r), key=lambda r: r["ratio"])[:12]
    refused = [{"case": f"{r['family']} {r['name']}", "why": r["reference_failure"][:200]} for r in rows if "reference_failure" in r]
    launched = [{"case": f"{r['family']} {r['name']}", "why": r["launched"][:200]} for r in rows if "launched" in r]
    return {"rows": len(rows), "refused_by_the_library": refused, "launched_one_by_one": launched, "families": table,
            "without_reference": without, "worst": [{k: r.get(k) for k in ("family", "name", "shape", "us", "reference_us", "ratio", "tflops")} for r in worst]}


def shares(rows):
    return [r["share_of_ceiling"] for r in rows if "share_of_ceiling" in r]


def geomean(values):
    """Of positive numbers; 0 where one is not, None of no number."""
    if not values:
        return None
    return math.exp(sum(map(math.log, values)) / len(values)) if min(values) > 0 else 0.0


def bench(call, seconds, result, stage, filters):
    end = time.monotonic() + seconds
    rows, well = [], True
    for what, pattern in filters:
        if end - time.monotonic() <= call.seconds(3):
            result.setdefault("not_reached", []).append(what)
            result.setdefault("cut_short", []).append(f"not reached: {what}")
            continue
        try:
            well = run_filter(call, stage, what, pattern, end, rows, result) and well
        finally:
            result["summary"] = summarize(rows)
        call.results.save()
    return well and bool(rows)


def stage(call, seconds, result):
    return bench(call, seconds, result, "kernels", FIRST)


def jobs(call):
    return [(f"bench kernels --seconds {GROUP_SECONDS} --json-lines: {what}", 1e9) for what, _ in FIRST]

"""Which stages a call has time for, and how long each may take."""
import dataclasses
import typing

RESERVE = 8  # seconds for starting, killing and writing


@dataclasses.dataclass
class Stage:
    name: str
    doc: str
    cap: typing.Optional[float]  # seconds at most; None: all that is left
    least: float  # with less it is left out
    run: typing.Callable  # (call, seconds, result) -> bool, whether all is well
    jobs: typing.Callable  # (call) -> [(what it runs, seconds at most)], as the plan prints it


def choose(stages, seconds):
    """([(stage, seconds)], [names left out]): in order, each that still fits with its least; what is then left over goes to the
    first ones up to their caps, so that later ones are shortened first."""
    left, chosen, left_out = seconds - RESERVE, [], []
    for stage in stages:
        if stage.least <= left:
            chosen.append(stage)
            left -= stage.least
        else:
            left_out.append(stage.name)
    plan = []
    for stage in chosen:
        more = left if stage.cap is None else min(left, stage.cap - stage.least)
        plan.append((stage, stage.least + more))
        left -= more
    return plan, left_out


def render(call, stages, seconds):
    """The plan as text: a line a stage, its commands below it, the sum last."""
    plan, left_out = choose(stages, seconds)
    lines, total = [f"{'stage':<14} at most, s  what"], RESERVE
    for stage, limit in plan:
        shortened = stage.cap is not None and limit < stage.cap
        total += limit
        lines.append(f"{stage.name:<14} {limit:>8.0f}    {stage.doc}{f' (shortened from {stage.cap:.0f} s)' if shortened else ''}")
        for what, most in stage.jobs(call):
            lines.append(f"{'':<14} {min(most, limit):>8.0f}    - {what}")
    lines.append(f"{'start and end':<14} {RESERVE:>8.0f}")
    lines.append(f"{'sum':<14} {total:>8.0f}    of {seconds:.0f}")
    lines.append("left out, no time: " + (", ".join(left_out) or "nothing"))
    return "\n".join(lines), total

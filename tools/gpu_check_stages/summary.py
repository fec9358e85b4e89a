"""gpu_check.md: what a person or a model reads first, in at most 12,000 characters."""
LIMIT = 12_000


def render(data):
    """Sections in order of weight, each within its share; the whole within LIMIT."""
    card, stages = data.get("card", {}), data.get("stages", {})
    sections = [(900, [f"# {card.get('name', '?')}, {data.get('date', '')}, commit {data.get('commit', '')[:10]}", "",
                       *overview(data)])]
    for share, title, lines in ((900, "Environment", of(stages, "environment", environment_lines)),
                                (1700, "Suites", of(stages, "suites", suite_lines)),
                                (3000, "Failed tests", failures(stages)),
                                (800, "Device tests and same bits", of(stages, "device", device_lines)),
                                (1000, "Steps, bf16, batch 256", of(stages, "steps", step_lines)),
                                (1300, "PyTorch", of(stages, "torch", torch_lines)),
                                (2200, "Kernels", of(stages, "kernels", kernel_lines)),
                                (600, "Sanitizer", of(stages, "sanitize", sanitize_lines)),
                                (1800, "8 bit", of(stages, "eight_bit", eight_bit_lines)),
                                (800, "torch.compile", of(stages, "compile", torch_lines)),
                                (1500, "Training", of(stages, "training", training_lines)),
                                (2000, "What went wrong in a stage", troubles(stages))):
        if lines:
            sections.append((share, [f"## {title}", "", *lines]))
    text, left = "", LIMIT
    for share, lines in sections:
        part = clip(lines, min(share, left))
        text += part
        left -= len(part)
    return text


def of(stages, name, lines_of):
    """A stage's lines; whatever is in the way of writing them is a line too."""
    result = stages.get(name)
    if not result:
        return []
    try:
        return lines_of(result)
    except Exception as e:
        return [f"(not shown: {type(e).__name__}: {e})"]


def clip(lines, share):
    """Whole lines up to that many characters, with a count of those left out."""
    kept, used = [], 0
    for i, line in enumerate(lines):
        if used + len(line) + 1 > share - 50 and i + 1 < len(lines):
            kept.append(f"... {len(lines) - i} more lines in gpu_check.json")
            break
        kept.append(line)
        used += len(line) + 1
    return ("\n".join(kept) + "\n\n")[:max(share, 0)]


def table(header, rows):
    return ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)] + ["| " + " | ".join(map(str, r)) + " |" for r in rows]


def overview(data):
    lines = table(["stage", "state", "s"], [[name, r.get("state", "?"), r.get("seconds", "")]
                                            for name, r in data.get("stages", {}).items()])
    for name, why in data.get("not_written", {}).items():
        lines.append(f"- {name} is not complete: {why}")
    for name, r in data.get("stages", {}).items():
        if r.get("cut_short"):
            lines.append(f"- {name}, no time: {'; '.join(r['cut_short'])[:200]}")
    if data.get("left_out"):
        lines.append("- left out, no time: " + ", ".join(data["left_out"]))
    return lines


def environment_lines(r):
    lines = []
    for key in ("binaries", "cards", "mig", "missing_libraries", "has_code_for_the_card", "python", "torch", "torch_packages", "GLIBCXX", "glibc",
                "cpu_cores", "not_answered"):
        if r.get(key) not in (None, "", {}, []):
            lines.append(f"- {key}: {str(r[key])[:260]}")
    return lines


STATES = ("passed", "failed", "crashed", "hung", "skipped", "not run", "not reached")


def suite_table(suites, only=None):
    """Suites with trouble first, each a row; the others in one line."""
    bad = {s: c for s, c in suites.items() if any(c.get(k) for k in ("failed", "crashed", "hung", "not run"))}
    lines = table(["suite", *STATES], [[s, *(c.get(k, 0) or "" for k in STATES)] for s, c in sorted(bad.items())]) if bad else []
    good = [f"{s} {c.get('passed', 0)}" for s, c in sorted(suites.items()) if s not in bad and c.get("passed")]
    silent = [s for s, c in sorted(suites.items()) if s not in bad and not c.get("passed") and not c.get("not reached")]
    cut = [f"{s} {c['not reached']}" for s, c in sorted(suites.items()) if c.get("not reached")]
    lines += ["", "not reached, no time: " + ", ".join(cut)] if cut else []
    return (lines + (["", "all passed: " + ", ".join(good)] if good else []) + (["skipped as a whole: " + ", ".join(silent)] if silent else []))


def suite_lines(r):
    total = ", ".join(f"{n} {state}" for state, n in r.get("total", {}).items())
    return ([total, ""] if total else []) + suite_table(r.get("suites", {}))


def failures(stages):
    """Of all stages: the crashed and hung ones with most of what they said, of the others the first lines."""
    found = []
    for name in ("suites", "device"):
        found += stages.get(name, {}).get("failed", [])
    for check in ("memcheck", "synccheck", "racecheck"):
        found += stages.get("sanitize", {}).get(check, {}).get("failed", [])
    found.sort(key=lambda f: ("hung", "crashed", "failed").index(f["state"]))
    alike = {}  # what most of them say is often the same
    for f in found:
        said = [line.strip()[:160] for line in f.get("said", []) if line.strip() and "Failure" not in line]
        alike.setdefault((f["state"], *said[:2]) if said else (f["state"], f["test"]), []).append((f, said))
    lines = []
    for (state, *_), group in alike.items():
        f, said = group[0]
        more = f" and {len(group) - 1} more that say the same" if len(group) > 1 else ""
        lines.append(f"- {state}: `{f['test']}`{more}")
        lines += ["    " + line for line in said[:3 if state == "failed" else 5]]
    return lines


def device_lines(r):
    lines = suite_table(r.get("suites", {}))
    lines.append("- same bits as the first run: " + str(r.get("same_bits")))
    for name, run in r.get("runs", {}).items():
        lines.append(f"- quickstart, {name}: {run.get('left_out') or 'ok' if run['ok'] else 'FAILED ' + run.get('log', '')[-200:]} ({run['seconds']} s)")
    return lines


def step_lines(r):
    networks = {}
    for row in r.get("rows", []):
        networks.setdefault(row["network"], {})[row["conv"]] = row
    ms = lambda row: f"{row['step_ms']:.2f}" if "step_ms" in row else row.get("left_out") or row.get("failed", "")[:60].replace("\n", " ")
    rate = lambda row: f"{row['images_per_s']:.0f}" if "images_per_s" in row else ""
    ratio = lambda a, b: f"{b['step_ms'] / a['step_ms']:.2f}x" if "step_ms" in a and "step_ms" in b else ""
    return table(["network", "ours ms", "images/s", "with cuDNN ms", "images/s", "speed-up"],
                 [[n, ms(c.get("ours", {})), rate(c.get("ours", {})), ms(c.get("cudnn", {})), rate(c.get("cudnn", {})),
                   ratio(c.get("ours", {}), c.get("cudnn", {}))] for n, c in networks.items()])


def torch_lines(r):
    if r.get("left_out"):
        return ["left out: " + r["left_out"]]
    rows = [row for row in r.get("rows", []) if "failed" not in row]
    columns = ("network", "precision", "ours ms", "PyTorch ms", "speed-up", "ours MiB", "PyTorch MiB", "PyTorch by mode, ms")
    lines = table(columns, [[row.get(c, "") for c in columns] for row in rows]) if rows else []
    return lines + [f"- {row['network']}: {row['failed'][:300]}".replace("\n", " ") for row in r.get("rows", []) if "failed" in row]


def kernel_lines(r):
    share = lambda group: "" if group["share_of_ceiling"] is None else f"{group['share_of_ceiling']:.0%}"
    lines = []
    if c := r.get("ceilings"):
        lines.append(f"copy {c['copy_gb_per_s']:.0f} GB/s, matrix product {c['matrix_tflops']:.0f} TFLOP/s")
    if n := r.get("summary", {}).get("rows", 0):
        lines.append(f"{n} cases{', ended by the clock' if r.get('ended_by_the_clock') else ''}"
                     f"{', without ceilings' if r.get('without_ceilings') else ''}")
    if r.get("not_reached"):
        lines.append("- not reached, no time: " + "; ".join(r["not_reached"]))
    for b in r.get("broken", []):
        lines.append(f"- broke off ({b['state']}): {b['case']}: {b['said'][-150:].strip()}".replace("\n", " "))
    s = r.get("summary", {})
    if refused := s.get("refused_by_the_library"):
        lines.append(f"- the library did not run {len(refused)} cases, the first {refused[0]['case']}: {refused[0]['why'][:150]}")
    if launched := s.get("launched_one_by_one"):
        lines.append(f"- {len(launched)} cases were launched one by one, the first {launched[0]['case']}: {launched[0]['why'][:150]}")
    if s.get("families"):
        lines += ["", *table(["family", "cases", "geomean", "worst", "of the ceiling"],
                             [[f, g["cases"], f"{g['geomean']:.2f}x", f"{g['worst']:.2f}x", share(g)]
                              for f, g in s["families"].items()])]
    if s.get("worst"):
        lines += ["", "Worst beside the library:"] + [
            f"- {w['ratio']:.2f}x {w['family']} {w['name']}: {w['us']:.1f} us, {w['reference_us']:.1f} us" for w in s["worst"]]
    if s.get("without_reference"):
        lines += ["", "Of the ceiling: " + ", ".join(f"{f} {share(g)}" for f, g in s["without_reference"].items())]
    return lines


def sanitize_lines(r):
    if r.get("left_out"):
        return ["left out: " + r["left_out"]]
    return [f"- {check}: {r[check].get('total', r[check].get('suites'))}" for check in ("memcheck", "synccheck", "racecheck") if check in r]


def eight_bit_lines(r):
    rows = r.get("precisions", [])
    lines = table(["network", "precision", "ms", "images/s"], [[x["network"], x["precision"], f"{x['step_ms']:.2f}", f"{x['images_per_s']:.0f}"]
                                                               for x in rows if "failed" not in x])
    lines += [f"- {x['network']}: {x['failed'][:200]}" for x in rows if "failed" in x]
    return lines + [""] + kernel_lines(r.get("kernels", {})) + [""] + torch_lines(r.get("torch", {}))


def training_lines(r):
    lines = []
    for name, run in r.get("runs", {}).items():
        lines.append(f"- {name}: {run.get('left_out') or ('ok' if run['ok'] else 'FAILED')}, {run.get('seconds', 0)} s"
                     f"{', ended by the clock' if run.get('ended_by_the_clock') else ''}")
        lines += ["    " + line[:150] for line in run.get("said", "").splitlines()[-12:]]
    return lines


def troubles(stages):
    lines = []
    for name, r in stages.items():
        if r.get("traceback"):
            lines += [f"- {name}: {r['traceback'].strip().splitlines()[-1][:300]}"]
            lines += ["    " + line[:160] for line in r["traceback"].strip().splitlines()[-6:-1]]
    return lines

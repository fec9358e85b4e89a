"""A report.json with known numbers: a run of 24 epochs whose masks settle, on a network with residual groups."""
import copy
import random

EVIL = '"><img src=x onerror=alert(1)>'
BITS, EPOCHS, DRAWN_AT = 320, 24, 11


def masks(ratio, count, seed):
    """Masks of successive epochs: fewer and fewer channels change places."""
    rng = random.Random(seed)
    kept = set(rng.sample(range(BITS), BITS - int(ratio * BITS)))
    all_masks = [frozenset(kept)]
    for epoch in range(1, count):
        for _ in range(int(36 * (2.2 - 2.4 * ratio) * 0.78**epoch)):
            kept.remove(rng.choice(sorted(kept)))
            kept.add(rng.choice(sorted(set(range(BITS)) - kept)))
        all_masks.append(frozenset(kept))
    return all_masks


def watched(ratio, threshold, window):
    history = masks(ratio, DRAWN_AT, int(1000 * ratio))
    n = len(history)
    differing = [len(a ^ b) for a in history for b in history]
    largest = [max((differing[i * n + j] for j in range(max(0, i - window + 1), i)), default=None) for i in range(n)]
    emerged = next((i + 1 for i in range(window - 1, n) if largest[i] / BITS <= threshold), None)
    return {
        "ratio": ratio, "name": f"p{round(100 * ratio)}", "bits": BITS, "kept": len(history[-1]), "emerged_epoch": emerged,
        "epochs": list(range(1, n + 1)), "differing": differing,
        "window_distance": [{"epoch": i + 1, "distance": None if d is None else d / BITS} for i, d in enumerate(largest)],
    }


def network(label, ratio, **values):
    keys = ["top1_last", "top5_last", "top1_best", "best_epoch", "best_rule", "top1_note", "params", "macs_per_image",
            "flops_per_image", "weight_bytes", "training_flops", "seconds", "seconds_note", "images_per_s",
            "peak_memory_bytes", "joules", "energy_method"]
    return {"label": label, "ratio": ratio, **dict.fromkeys(keys), **values}


def networks():
    return [
        network("dense", None, top1_last=0.8467, top5_last=0.9911, top1_note=f"at the draw, epoch {DRAWN_AT}", params=923130,
                macs_per_image=19803648, flops_per_image=40053770, weight_bytes=3692520, training_flops=240322620000000,
                seconds=1514.7, seconds_note="projected from the rate of the search", images_per_s=1320.4),
        network("ticket p=0.5", 0.5, top1_last=0.8393, top5_last=0.9878, top1_best=0.8401, best_epoch=22,
                best_rule="on the test set", params=202889, macs_per_image=13453000, flops_per_image=27236314,
                weight_bytes=811556, training_flops=182644068000000, seconds=1265.5, images_per_s=1691.5,
                peak_memory_bytes=412 * 2**20, joules=45678.0, energy_method="rapl"),
        network("averaged weights (SWA)", None, top1_last=0.8412, top5_last=0.9880, params=202889),
    ]


def phases():
    parts = {"data_wait": 1.56, "forward": 120.3, "backward": 236.9, "optimizer": 11.2, "early_bird": 0.018, "evaluation": 23.7,
             "checkpoint": 0.9, "other": None}
    common = {"precision": "f32", "joules": None, "energy_method": None}
    return [
        {"name": "search", "start_epoch": 0, "start_step": 0, "steps": 4301, "samples": 550000, "params": 923130,
         "flops_per_image": 40053770, "images_per_s": 1320.4, "seconds": parts,
         "bytes": {"weights": 3692520, "gradients": 3692520, "momentum": 3692520, "activations": None}, **common},
        {"name": "retrain", "start_epoch": DRAWN_AT, "start_step": 4301, "steps": 5083, "samples": 650000, "params": 202889,
         "flops_per_image": 27236314, "images_per_s": 1691.5, "seconds": {k: v and v * 0.6 for k, v in parts.items()},
         "bytes": {"weights": 811556, "gradients": 811556, "momentum": 811556, "activations": None}, **common},
    ]


def epochs():
    def one(e):
        dip = 0.4 if e == DRAWN_AT + 1 else 0
        return {"epoch": e, "phase": "search" if e <= DRAWN_AT else "retrain", "train_loss": 2 / e**0.6 + dip,
                "train_top1": 1 - 0.6 / e**0.5 - dip / 8, "test_loss": 2.1 / e**0.55 + dip, "test_top1": 1 - 0.62 / e**0.45 - dip / 8,
                "test_top5": 0.98, "holdout_top1": None, "lr": 0.1 if e <= 12 else 0.01 if e <= 18 else 0.001,
                "images_per_s": 1320.0 if e <= DRAWN_AT else 1691.0, "seconds": 37.0}
    return [one(e) for e in range(1, EPOCHS + 1)]


def layers():
    shape = [("bn1", 0)]
    for stage in range(1, 4):
        shape += [(f"layer{stage}.{block}.bn{i}", stage - 1 if i == 2 else None) for block in range(3) for i in (1, 2)]
    rng = random.Random(3)
    return [{"id": name, "kept": rng.randint(3, 16), "total": 16, "group": group, "held_up": i in (4, 11)}
            for i, (name, group) in enumerate(shape)]


def run(seed=1, name="preresnet20-cifar10"):
    ratios = [watched(ratio, 0.1, 5) for ratio in (0.3, 0.5, 0.7)]
    drawn = {"ratio": 0.5, "epoch": DRAWN_AT, "step": 4301, "found_by": "detector", "file": "tickets/p50-ep11.safetensors"}
    return {
        "path": "runs/example", "name": name, "seed": seed, "eb_engine": "0.1.0", "state": "finished", "exit_code": 0,
        "epochs_done": EPOCHS, "epochs_planned": EPOCHS, "damaged_lines": 2,
        "warnings": ["best was picked on the test set", "2 damaged lines of metrics.jsonl were left out"],
        "config_changes": [{"key": "early_bird.min_channels", "value": 1, "default": 8},
                           {"key": "data.augment", "value": ["pad4_crop32", "hflip"], "default": []}],
        "environment": [{"key": "cpu", "value": "AMD EPYC"}, {"key": "cpus", "value": 2}, {"key": "compiler", "value": "g++ 12.2.0"}],
        "command_lines": ["eb_engine train models/preresnet20.json --set early_bird.draw=0.5"],
        "networks": networks(), "speedup": {"counted": 1.4706, "measured": 1.2811}, "phases": phases(), "epochs": epochs(),
        "early_bird": {"threshold": 0.1, "window": 5, "compare": "newest_vs_window", "criterion": "bn_gamma",
                       "rule": "exact_k", "draw": drawn, "ratios": ratios},
        "layers": layers(), "equivalence": {"max_abs_difference": 2.384e-07},
    }


def report(*runs, comparison=None):
    return {"eb_report": 1, "generated": "2026-01-01T00:00:00Z", "eb_engine": "0.1.0", "runs": list(runs), "comparison": comparison}


def several():
    def stat(mean, std=None, n=2):
        return {"mean": mean, "std": std, "n": n}

    def row(label, indices, ratio, top1, cost, epoch=11.5):
        """As wide as rows get."""
        return {"label": label, "runs": indices, "seeds": [i + 1 for i in indices], "ratio": ratio, "top1": stat(top1, 0.0021), "top5": stat(0.99, 0.0009),
                "params": stat(20034378, 123456), "flops_per_image": stat(627236314, 12.3e6), "training_flops": stat(cost, 1e15),
                "seconds": stat(45678.0, 3725.0), "joules": stat(1234567.0, 54321.0) if ratio else None, "draw_epoch": epoch and stat(epoch, 0.7),
                "step_speedup": stat(2.346, 0.051) if ratio else None, "seconds_note": None}
    early = [(row(f"drawn at epoch {epoch} p={p}", [0, 1, 0, 1, 0], p, top1, 1.83e17, epoch), {"epoch": epoch, "row": at, "top1": stat(top1, 0.0021)})
             for at, (p, epoch, top1) in enumerate([(0.3, 2, 0.811), (0.3, 6, 0.835), (0.3, 20, 0.842), (0.5, 6, 0.803), (0.5, 20, 0.829)], 2)]
    rows = [row("dense", [0], None, 0.8467, 2.4e17, None),
            row("p=0.5, criterion=random_per_layer, threshold=0.05, depth=164", [0, 1], 0.5, 0.8393, 1.83e17)] + [r for r, _ in early]
    curves = [{"label": f"p={p}", "ratio": p, "points": [point for r, point in early if r["ratio"] == p]} for p in (0.3, 0.5)]
    return report(run(1), run(2), comparison={"rows": rows, "cost": "training_flops", "draw_epochs": {"curves": curves, "dense": stat(0.8467, 0.0021)}})


def attacked():
    """The same run with markup wherever somebody else's text goes."""
    bad = copy.deepcopy(run())
    bad["name"] = bad["path"] = EVIL
    bad["warnings"] = bad["command_lines"] = [EVIL]
    for item in bad["layers"]:
        item["id"] = EVIL
    bad["networks"][1]["label"] = EVIL
    bad["config_changes"] = [{"key": EVIL, "value": {EVIL: EVIL}, "default": EVIL}]
    bad["environment"] = [{"key": EVIL, "value": EVIL}]
    bad["phases"][0]["name"] = EVIL
    bad["early_bird"]["ratios"][0]["name"] = EVIL
    return report(bad)

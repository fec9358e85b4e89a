"""All stages, in the order of the two calls."""
from . import environment, first, kernels, second
from .plan import Stage

FIRST = [
    Stage("environment", "card, driver, libraries, PyTorch", 24, 10, environment.stage, environment.jobs),
    Stage("suites", "what every kernel computes", 110, 40, first.test_suites, first.suites_jobs),
    Stage("device", "device tests of the engine, same bits", 45, 20, first.device, first.device_jobs),
    Stage("steps", "training steps, ours and with cuDNN", 75, 20, first.steps, first.steps_jobs),
    Stage("torch", "PyTorch's steps, eager and graph", 130, 40, first.torch, first.torch_jobs),
    Stage("kernels", "every kernel beside the library's", None, 20, kernels.stage, kernels.jobs),
]
SECOND = [
    Stage("sanitize", "compute-sanitizer on small tests", 110, 40, second.sanitize, second.sanitize_jobs),
    Stage("eight_bit", "8-bit kernels and steps", 150, 50, second.eight_bit, second.eight_bit_jobs),
    Stage("compile", "PyTorch's steps, torch.compile", 100, 60, second.compile, second.compile_jobs),
    Stage("training", "whole trainings", None, 30, second.training, second.training_jobs),
]
BY_NAME = {stage.name: stage for stage in FIRST + SECOND}

"""The parts of tools/gpu_check: processes with limits, results that survive, stages, the plan of a call, the summary."""

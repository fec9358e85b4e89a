// Where a run lives and whether it goes on from what is there.
#pragma once
#include <string>
#include <vector>

#include "engine/config/config.h"
#include "engine/run/run_dir.h"
#include "engine/run/session.h"

namespace eb::tools {

// --out's directory, or a new runs/NAME/TIME-ID.
engine::RunDir open_run(const std::string& out, const engine::Config& config);

// Error 4052 if a key that changes the result differs and is not in `allowed` (keys or sections); the
// observer hears of every other difference. What follows from another train.duration alone may differ.
void require_same_config(const engine::Config& before, const engine::Config& now,
                         const std::vector<std::string>& allowed, engine::SessionObserver& observer);

// What resume_if_asked would go on with; none for a new run.
std::optional<std::filesystem::path> checkpoint_to_resume(const engine::RunDir& run,
                                                          const std::string& resume,
                                                          engine::SessionObserver& observer);

// True if the run goes on. resume: "" (auto if the directory was given), auto, never, must, or the path of a
// checkpoint. Errors: 4051 must but nothing there, 4052 a key that changes the result differs and is not in
// allow_change, 2022 never but a run is there.
bool resume_if_asked(engine::Session& session, const engine::RunDir& run, const std::string& resume,
                     const engine::Config& config, const std::vector<std::string>& allow_change,
                     engine::SessionObserver& observer);

}  // namespace eb::tools

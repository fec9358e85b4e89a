// `eb_engine doctor`: its flags; what it looks at is in tools/doctor.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "tools/cli/commands.h"
#include "tools/doctor/doctor.h"

namespace eb::tools {

struct DoctorFlags {
  std::filesystem::path out = "runs";
  bool json = false;
};

static int run_doctor(const DoctorFlags& f) {
  const std::vector<Line> lines = examine(f.out);
  if (f.json)
    std::cout << engine::dump_json(to_json(lines), 2) << "\n";
  else
    print(lines);
  return exit_code_of(lines);
}

Command doctor_command() {
  const auto f = std::make_shared<DoctorFlags>();
  return {
      .name = "doctor",
      .doc = "Say whether this machine can run eb_engine, and what to do where not",
      .flags = {Flag{"--out", &f->out, "The folder that runs would go to (default: runs)"},
                Flag{"--json", &f->json, "One JSON array of name, state, saw and advice"}},
      .run = [f] { return run_doctor(*f); },
  };
}

}  // namespace eb::tools

#include "tools/cli/error_docs.h"

#include <fmt/format.h>

#include "engine/base/error_codes.h"

namespace eb::tools {

static const char* const error_intro = R"(# Errors

<!-- Written by `eb_engine config errors > docs/errors.md` from engine/base/error_codes.def; a test compares them. -->

Every error that a user can cause has a code. Its thousands are the exit code of the program: EB2003 exits with 2.

    error[EB2003]: unknown key "early_bird.treshold"
      --> models/vgg16.json:31:7   (/early_bird/treshold)
      hint: did you mean "threshold"?   see: eb_engine config explain early_bird

)";

static const char* const outro = R"(
A run that was stopped by SIGINT, SIGTERM, SIGUSR1 or `--max-steps` saves a checkpoint and exits 75; the same command goes
on. A second SIGINT or SIGTERM ends it at once with 130 or 143 and nothing saved.
)";

std::string error_reference() {
  std::string out = fmt::format("{}| code | meaning | what to do |\n|---|---|---|\n", error_intro);
  for (const errors::Group& group : errors::all()) {
    out += fmt::format("| **{}** | **{}** | |\n", group.exit_code, group.subject);
    for (const errors::Entry& e : group.entries)
      out += fmt::format("| EB{} | {} | {} |\n", e.code, e.meaning, e.what_to_do);
  }
  return out + outro;
}

}  // namespace eb::tools

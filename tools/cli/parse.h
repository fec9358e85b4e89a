// From the words of a command line to what they ask for.
#pragma once
#include <functional>

#include "tools/cli/command.h"

namespace eb::tools {

// Help and errors are printed while parsing: then `run` is empty and `exit_code` is the process's.
struct Parsed {
  std::function<int()> run;
  int exit_code = 0;
};

// `program` is a group; its name stands in front of argv[1].
Parsed parse(const Command& program, int argc, const char* const* argv);

// The line "hint: did you mean ..." for the first word that is no command or flag of `program`, or "".
std::string suggestion(const Command& program, int argc, const char* const* argv);

}  // namespace eb::tools

// Runs one command in this process, from the words that follow its name.
#pragma once
#include <gtest/gtest.h>

#include <exception>
#include <string>
#include <vector>

#include "tools/cli/parse.h"

namespace eb::test {

struct Printed {
  int code = 0;
  std::string out, err;
};

// What the command throws goes through.
inline Printed run_command(const tools::Command& command, const std::vector<std::string>& words) {
  const tools::Command program = {.name = "eb_engine", .doc = "", .commands = {command}};
  std::vector<const char*> argv = {"eb_engine", command.name.c_str()};
  for (const std::string& word : words) argv.push_back(word.c_str());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Printed p;
  std::exception_ptr thrown;
  try {
    const tools::Parsed parsed = tools::parse(program, static_cast<int>(argv.size()), argv.data());
    p.code = parsed.run ? parsed.run() : parsed.exit_code;
  } catch (...) {
    thrown = std::current_exception();
  }
  p.out = testing::internal::GetCapturedStdout();
  p.err = testing::internal::GetCapturedStderr();
  if (thrown) std::rethrow_exception(thrown);
  return p;
}

}  // namespace eb::test

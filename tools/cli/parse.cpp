#include "tools/cli/parse.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "engine/base/text.h"

namespace eb::tools {
namespace {

// The target's type decides what --help calls the value and which words are one.
CLI::Option* add_target(CLI::App& app, const Flag& flag) {
  return std::visit(
      [&]<class T>(T* target) {
        if constexpr (std::is_same_v<T, bool>)
          return app.add_flag(flag.names, *target, flag.doc);
        else
          return app.add_option(flag.names, *target, flag.doc);
      },
      flag.target);
}

// The library's own checks print the largest double, all 309 digits of it.
void add_limit(CLI::Option& option, std::function<bool(double)> holds, const std::string& want,
               const std::string& name) {
  const auto problem = [=](const std::string& word) -> std::string {
    char* end = nullptr;
    const double value = std::strtod(word.c_str(), &end);
    if (word.empty() || *end) return fmt::format("{} is not a number", engine::quote(word));
    return holds(value) ? "" : fmt::format("{} is out of range, want {}", word, want);
  };
  option.check(problem, name);
}

void add_limits(CLI::Option& option, const Flag& flag) {
  const double min = flag.min, max = flag.max;
  if (flag.limits == Flag::Limits::positive)
    add_limit(
        option, [](double v) { return v > 0; }, "more than 0", "POSITIVE");
  if (flag.limits == Flag::Limits::not_negative)
    add_limit(
        option, [](double v) { return v >= 0; }, "0 or more", "NONNEGATIVE");
  if (flag.limits == Flag::Limits::between)
    add_limit(
        option, [=](double v) { return v >= min && v <= max; }, fmt::format("{} to {}", min, max),
        fmt::format("{} to {}", min, max));
}

// The library would wrap -1 around.
std::string no_sign(const std::string& word) {
  return word.starts_with('-') ? word + " is negative, want a whole number from 0 on" : "";
}

void add_flag(CLI::App& app, const Flag& flag) {
  CLI::Option& option = *add_target(app, flag);
  if (flag.required) option.required();
  add_limits(option, flag);
  if (std::holds_alternative<std::optional<uint64_t>*>(flag.target)) option.check(no_sign);
  if (!flag.choices.empty()) option.check(CLI::IsMember(flag.choices));
  if (flag.check) option.check(flag.check);
  if (flag.commas) option.delimiter(',');
  if (flag.default_shown) option.capture_default_str();
  if (flag.elements == Flag::Elements::one_each) option.take_all()->expected(1);
  if (flag.elements != Flag::Elements::many) option.allow_extra_args(false);
}

// Once the words are read, before the command runs.
void settle(const CLI::App& app, const Command& command) {
  for (const Flag& flag : command.flags)
    if (flag.given) *flag.given = app.count(flag.names.substr(flag.names.find("--"))) > 0;
  const auto there = [&](const std::string& name) { return app.count(name) > 0; };
  const auto& names = command.needs_one_of;
  if (names.empty() || std::any_of(names.begin(), names.end(), there)) return;
  const std::vector<std::string> others(names.begin() + 1, names.end());
  throw CLI::RequiredError(fmt::format("{} (or {})", names[0], fmt::join(others, " or ")));
}

void fill(CLI::App& app, const Command& command, const Command*& chosen) {
  for (const Flag& flag : command.flags) add_flag(app, flag);
  if (!command.footer.empty()) app.footer(command.footer);
  if (!command.commands.empty()) app.require_subcommand(1);
  for (const Command& sub : command.commands) fill(*app.add_subcommand(sub.name, sub.doc), sub, chosen);
  if (command.run)
    app.callback([&] {
      settle(app, command);
      chosen = &command;
    });
}

// The group that the words end at, as in "eb_engine" or "eb_engine data": who types no more asks what there
// is. Null if they say anything else.
const CLI::App* bare_group(const CLI::App& app, const Command& program, int argc, const char* const* argv) {
  const CLI::App* at = &app;
  const Command* command = &program;
  for (int i = 1; i < argc; ++i) {
    const auto below = std::find_if(command->commands.begin(), command->commands.end(),
                                    [&](const Command& c) { return c.name == argv[i]; });
    if (below == command->commands.end()) return nullptr;
    command = &*below;
    at = at->get_subcommand(command->name);
  }
  return command->commands.empty() ? nullptr : at;
}

}  // namespace

Parsed parse(const Command& program, int argc, const char* const* argv) {
  CLI::App app(program.doc);
  app.name(program.name);
  const Command* chosen = nullptr;
  fill(app, program, chosen);
  if (!program.version.empty())
    app.set_version_flag("--version", program.version, "Print the version and exit");
  if (const CLI::App* group = bare_group(app, program, argc, argv)) {
    std::fputs(group->help().c_str(), stderr);
    return {{}, 2};
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    return {{}, app.exit(e)};
  } catch (const CLI::ParseError& e) {
    const std::string text = fmt::format("error[EB2020]: {}{}\n  see: {} --help\n", e.what(),
                                         suggestion(program, argc, argv), program.name);
    std::fputs(text.c_str(), stderr);
    return {{}, 2};
  }
  return {chosen->run};
}

}  // namespace eb::tools

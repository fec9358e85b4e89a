// Commands as data: what a command is called, which flags it takes and what it does. Only parse.cpp knows the
// library that reads a command line.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace eb::tools {

// A word of the command line and the variable it fills, whose value before is the default. Of a list, every
// word after the flag is an element until the next flag.
struct Flag {
  using Target =
      std::variant<bool*, int*, int64_t*, double*, std::string*, std::filesystem::path*,
                   std::optional<uint64_t>*, std::optional<std::string>*, std::vector<int64_t>*,
                   std::vector<double>*, std::vector<std::string>*, std::vector<std::filesystem::path>*>;
  enum class Limits : uint8_t { none, positive, not_negative, between };  // of a number, or of each in a list
  enum class Elements : uint8_t { many, one, one_each };                  // of a list, behind one flag

  std::string names;  // "--out", "-o,--out", or "RUN" for a word without dashes
  Target target;      // a bool is set by the flag alone, everything else by the word after it
  std::string doc;
  bool required = false, commas = false, default_shown = false;
  Limits limits = Limits::none;
  double min = 0, max = 0;                // inclusive, with Limits::between
  std::vector<std::string> choices = {};  // of a string; empty: any
  Elements elements = Elements::many;
  std::string (*check)(const std::string& word) = nullptr;  // what is wrong with the word; empty: nothing
  bool* given = nullptr;  // set when the word is there, also where its value is empty

  // For tables: Flag{"--ratio", &f->ratio, "..."}.must_be_given()
  Flag& must_be_given() { return required = true, *this; }
  Flag& positive() { return limits = Limits::positive, *this; }
  Flag& not_negative() { return limits = Limits::not_negative, *this; }
  Flag& range(double least, double most) { return limits = Limits::between, min = least, max = most, *this; }
  Flag& one_of(std::vector<std::string> all) { return choices = std::move(all), *this; }
  template <size_t n>
  Flag& one_of(const std::array<std::string_view, n>& all) {  // names_of<Enum>()
    return choices.assign(all.begin(), all.end()), *this;
  }
  Flag& checked_by(std::string (*problem)(const std::string&)) { return check = problem, *this; }
  Flag& split_at_commas() { return commas = true, *this; }
  Flag& shows_default() { return default_shown = true, *this; }
  Flag& takes(Elements which) { return elements = which, *this; }
  Flag& tells(bool* there) { return given = there, *this; }
};

// A leaf has `run`, which owns the variables of its flags; a group has `commands` of its own instead.
struct Command {
  std::string name, doc;
  std::vector<Flag> flags = {};
  std::function<int()> run = {};               // returns the exit code, or throws eb::Error
  std::vector<std::string> needs_one_of = {};  // names of flags: without any of them it is no command
  std::vector<Command> commands = {};          // in the order that --help shows
  std::string footer = "";                     // below the help
  std::string version = "";                    // of a program: what --version prints
};

}  // namespace eb::tools

// Commands as data: what a Flag says of its value is what the command line is held to.
#include <gtest/gtest.h>

#include <memory>

#include "support/run_command.h"
#include "support/run_engine.h"
#include "tools/cli/commands.h"

using namespace eb::tools;
using eb::test::Printed, eb::test::run_command;

namespace {

struct Values {
  std::string out, word = "a", name;
  int64_t count = 1;
  double ratio = 0.5;
  bool dry_run = false, has_name = false;
  std::vector<int64_t> epochs;
  std::vector<std::string> sets, rest;
};

struct Toy {
  std::shared_ptr<Values> values = std::make_shared<Values>();
  Command command = {
      .name = "toy",
      .doc = "A command of this test",
      .flags = {Flag{"REST", &values->rest, "Words"}, Flag{"-o,--out", &values->out, "Where"},
                Flag{"--dry-run", &values->dry_run, "Nothing is written"},
                Flag{"--word", &values->word, "One of two"}.one_of({"a", "b"}),
                Flag{"--name", &values->name, "May be empty"}.tells(&values->has_name),
                Flag{"--count", &values->count, "How many"}.range(1, 3),
                Flag{"--ratio", &values->ratio, "A share"}.positive(),
                Flag{"--epochs", &values->epochs, "A list"}.split_at_commas(),
                Flag{"--set", &values->sets, "Once each"}.takes(Flag::Elements::one)},
      .run = [v = values] { return v->dry_run ? 7 : 0; },
      .needs_one_of = {"--out", "--dry-run"},
  };
  Printed run(const std::vector<std::string>& words) const { return run_command(command, words); }
};

}  // namespace

TEST(Parse, words_fill_the_variables_and_the_command_runs) {
  const Toy toy;
  EXPECT_EQ(toy.run({"--dry-run", "--word", "b", "--count=3", "--epochs", "1,2", "--ratio", "2"}).code, 7);
  EXPECT_EQ(toy.values->word, "b");
  EXPECT_EQ(toy.values->count, 3);
  EXPECT_EQ(toy.values->ratio, 2);
  EXPECT_EQ(toy.values->epochs, (std::vector<int64_t>{1, 2}));
}

TEST(Parse, a_value_outside_what_the_flag_says_is_refused) {
  for (const std::vector<std::string>& bad :
       {std::vector<std::string>{"--word", "c"}, {"--count", "4"}, {"--ratio", "0"}, {"--ratio", "x"}}) {
    const Toy toy;
    std::vector<std::string> words = {"--dry-run"};
    words.insert(words.end(), bad.begin(), bad.end());
    const Printed p = toy.run(words);
    EXPECT_EQ(p.code, 2) << bad[1];
    EXPECT_NE(p.err.find("error[EB2020]: " + bad[0]), std::string::npos) << p.err;
  }
}

TEST(Parse, what_is_out_of_range_is_told_in_short_numbers) {
  for (const auto& [flag, value] : {std::pair{"--limit", "-2"}, {"--limit", "0"}, {"--batch", "-1"}}) {
    const eb::test::Outcome o = eb::test::run_engine({"eval", "x", flag, value});
    EXPECT_EQ(o.exit_code, 2);
    EXPECT_EQ(o.err.substr(0, o.err.find('\n')),
              std::string("error[EB2020]: ") + flag + ": " + value + " is out of range, want more than 0");
  }
  const eb::test::Outcome o = eb::test::run_engine({"bench", "kernels", "--seconds", "99"});
  EXPECT_NE(o.err.find("--seconds: 99 is out of range, want 0.0001 to 10"), std::string::npos) << o.err;
  EXPECT_NE(eb::test::run_engine({"eval", "x", "--limit", "three"}).err.find("three"), std::string::npos);
}

TEST(Parse, an_empty_value_is_given_and_a_missing_one_is_not) {
  const Toy given, missing;
  EXPECT_EQ(given.run({"--out", "x", "--name", ""}).code, 0);
  EXPECT_TRUE(given.values->has_name);
  EXPECT_EQ(missing.run({"--out", "x"}).code, 0);
  EXPECT_FALSE(missing.values->has_name);
}

TEST(Parse, one_of_the_needed_flags_must_be_there) {
  EXPECT_EQ(Toy().run({}).err, "error[EB2020]: --out (or --dry-run) is required\n  see: eb_engine --help\n");
  EXPECT_EQ(Toy().run({"--out", ""}).code, 0);
}

TEST(Parse, a_list_of_one_word_each_leaves_the_next_word_alone) {
  const Toy toy;
  EXPECT_EQ(toy.run({"--dry-run", "--set", "a=1", "rest", "--set", "b=2"}).code, 7);
  EXPECT_EQ(toy.values->sets, (std::vector<std::string>{"a=1", "b=2"}));
  EXPECT_EQ(toy.values->rest, std::vector<std::string>{"rest"});
}

TEST(Parse, every_command_says_what_it_is_for_and_runs_or_has_commands) {
  const auto check = [](const Command& c, const auto& self) -> void {
    EXPECT_FALSE(c.doc.empty()) << c.name;
    EXPECT_NE(bool(c.run), !c.commands.empty()) << c.name;
    for (const Flag& flag : c.flags) EXPECT_FALSE(flag.doc.empty()) << c.name << " " << flag.names;
    for (const Command& sub : c.commands) self(sub, self);
  };
  for (const Command& c : commands()) check(c, check);
}

TEST(Suggestion, is_looked_for_where_the_words_have_led) {
  const Command program = {.name = "eb_engine", .doc = "", .commands = commands()};
  const auto of = [&](std::vector<const char*> words) {
    words.insert(words.begin(), "eb_engine");
    return suggestion(program, static_cast<int>(words.size()), words.data());
  };
  EXPECT_EQ(of({"trian"}), "\n  hint: did you mean \"train\"?");
  EXPECT_EQ(of({"bench", "setp"}), "\n  hint: did you mean \"step\"?");
  EXPECT_EQ(of({"bench", "kernels", "--fliter=x"}), "\n  hint: did you mean \"--filter\"?");
  EXPECT_EQ(of({"compact", "--ouy"}), "\n  hint: did you mean \"--out\"?");
  EXPECT_EQ(of({"train", "--hepl"}), "\n  hint: did you mean \"--help\"?");
  EXPECT_EQ(of({"something-else"}), "");
}

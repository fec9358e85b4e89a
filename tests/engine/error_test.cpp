#include "engine/base/error.h"

#include <gtest/gtest.h>

TEST(Error, prints_code_place_and_hint) {
  const eb::Error e(2003, "unknown key \"a\"", "did you mean \"b\"?", "f.json:1:2   (/a)");
  EXPECT_EQ(e.text(),
            "error[EB2003]: unknown key \"a\"\n  --> f.json:1:2   (/a)\n  hint: did you mean \"b\"?");
  EXPECT_EQ(e.exit_code(), 2);
  EXPECT_EQ(eb::Error(10001, "x").exit_code(), 10);
  EXPECT_EQ(eb::Error(8001, "x").text(), "error[EB8001]: x");
}

TEST(Error, did_you_mean) {
  const std::vector<std::string> keys = {"train", "threshold", "lr", "window"};
  EXPECT_EQ(eb::did_you_mean("trian", keys), "train");
  EXPECT_EQ(eb::did_you_mean("treshold", keys), "threshold");
  EXPECT_EQ(eb::did_you_mean("l", keys), "lr");
  EXPECT_EQ(eb::did_you_mean("windoow", keys), "window");
  EXPECT_EQ(eb::did_you_mean("banana", keys), "");
  EXPECT_EQ(eb::did_you_mean("", keys), "");
  EXPECT_EQ(eb::did_you_mean(std::string(1000, 'x'), keys), "");
}

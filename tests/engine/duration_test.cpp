#include "engine/base/duration.h"

#include <gtest/gtest.h>

#include "engine/base/error.h"

using namespace eb::engine;

TEST(Duration, reads_epochs_and_steps) {
  EXPECT_EQ(parse_duration("160ep"), (Duration{Duration::Unit::epochs, 160}));
  EXPECT_EQ(parse_duration("2000st"), (Duration{Duration::Unit::steps, 2000}));
  EXPECT_EQ(parse_duration("0ep").count, 0);
  EXPECT_EQ(to_string(parse_duration("7st")), "7st");
  EXPECT_EQ(parse_duration("3ep").in_steps(391), 1173);
  EXPECT_EQ(parse_duration("3st").in_steps(391), 3);
}

TEST(Duration, refuses_everything_else) {
  for (const char* text : {"", "ep", "160", "160 ep", " 160ep", "160epo", "-1ep", "-0ep", "+1ep", "1.5ep",
                           "1e3st", "99999999999999999999ep", "9000000000000000000st", "160EP", "0x10ep"}) {
    try {
      parse_duration(text);
      ADD_FAILURE() << "accepted \"" << text << "\"";
    } catch (const eb::Error& e) {
      EXPECT_EQ(e.code(), 2008) << text;
    }
  }
}

TEST(Duration, a_moment_is_an_epochs_end_or_a_step) {
  EXPECT_EQ(moment(150, 50), "epoch 3");
  EXPECT_EQ(moment(0, 50), "epoch 0");
  EXPECT_EQ(moment(34, 50), "step 34 (0.68 ep)");
  EXPECT_EQ(moment(151, 50), "step 151 (3 ep)");
  EXPECT_EQ(moment(7, 3), "step 7 (2.3 ep)");
}

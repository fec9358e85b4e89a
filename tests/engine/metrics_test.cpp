#include "engine/run/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "support/child.h"
#include "support/temp_dir.h"

namespace eb::engine {

using nlohmann::json;

class MetricsTest : public testing::Test {
 protected:
  void TearDown() override { set_fault(""), observe_files(nullptr); }
  std::string text() const { return read_file(path_); }
  TempDir dir_{true};
  fs::path path_ = dir_ / "metrics.jsonl";
};

TEST_F(MetricsTest, lines_have_sorted_keys_and_shortest_numbers) {
  MetricsWriter writer(path_);
  writer.write({{"step", 1}, {"epoch", 0}, {"train/loss", 0.1}, {"x", 1.0 / 3}});
  writer.write({{"nan", std::nan("")}, {"inf", -std::numeric_limits<double>::infinity()}, {"tiny", 5e-324}});
  EXPECT_EQ(text(),
            "{\"epoch\":0,\"step\":1,\"train/loss\":0.1,\"x\":0.3333333333333333}\n"
            "{\"inf\":null,\"nan\":null,\"tiny\":5e-324}\n");
  EXPECT_EQ(writer.offset(), static_cast<int64_t>(text().size()));
}

TEST_F(MetricsTest, each_line_is_one_write) {
  MetricsWriter writer(path_);
  std::vector<std::string> writes;
  observe_files([&](const FileOperation& o) {
    if (o.kind == FileOperation::Kind::write) writes.emplace_back(o.bytes);
  });
  writer.write({{"step", 1}});
  writer.write({{"step", 2}});
  EXPECT_EQ(writes, (std::vector<std::string>{"{\"step\":1}\n", "{\"step\":2}\n"}));
}

TEST_F(MetricsTest, resume_cuts_what_the_checkpoint_does_not_know) {
  int64_t offset = 0;
  {
    MetricsWriter writer(path_);
    writer.write({{"step", 1}});
    offset = writer.offset();
    writer.write({{"step", 2}});
  }
  MetricsWriter writer(path_);
  writer.truncate_to(offset);
  EXPECT_EQ(text(), "{\"step\":1}\n");
  writer.write({{"step", 22}});
  EXPECT_EQ(text(), "{\"step\":1}\n{\"step\":22}\n");
  writer.truncate_to(offset + 5);  // not where a line ends: the line goes
  EXPECT_EQ(text(), "{\"step\":1}\n");
  writer.truncate_to(1000);  // a power loss took the end of the file
  EXPECT_EQ(text(), "{\"step\":1}\n");
  EXPECT_EQ(writer.offset(), offset);
  writer.truncate_to(0);
  EXPECT_EQ(text(), "");
}

TEST_F(MetricsTest, a_half_line_is_dropped_on_opening) {
  write_file_synced(path_, "{\"step\":1}\n{\"st");
  MetricsWriter writer(path_);
  writer.write({{"step", 2}});
  EXPECT_EQ(text(), "{\"step\":1}\n{\"step\":2}\n");
}

TEST_F(MetricsTest, damaged_lines_are_skipped_and_counted) {
  write_file_synced(path_, "{\"step\":1}\n\n{broken\n[1]\n{\"step\":2}\n\xff\xfe\n" +
                               std::string(2 << 20, '[') + "\n{\"step\":3}\n{\"step\":4");
  const Metrics m = read_metrics(path_);
  ASSERT_EQ(m.lines.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(m.lines[static_cast<size_t>(i)]["step"], i + 1);
  EXPECT_EQ(m.damaged, 6);
  EXPECT_THROW(read_metrics(dir_ / "missing"), Error);
}

TEST_F(MetricsTest, a_full_disk_delays_lines_but_loses_none) {
  MetricsWriter writer(path_);
  writer.write({{"step", 1}});
  set_fault("enospc@write:1");
  writer.write({{"step", 2}});
  EXPECT_EQ(text(), "{\"step\":1}\n");
  EXPECT_EQ(writer.offset(), 11);
  writer.write({{"step", 3}});
  EXPECT_EQ(text(), "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
  set_fault("eio@write:1");
  EXPECT_THROW(writer.write({{"step", 4}}), Error);
}

TEST_F(MetricsTest, a_write_cut_in_the_middle_leaves_whole_lines) {
  MetricsWriter writer(path_);
  writer.write({{"step", 1}});
  const int status = run_in_child([&] {
    set_fault("short@write:1+");  // continued until the line is whole
    writer.write({{"step", 2}});
    return 0;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(text(), "{\"step\":1}\n{\"step\":2}\n");
}

TEST_F(MetricsTest, text_that_is_not_utf8_stays_json) {
  MetricsWriter writer(path_);
  writer.write({{"name", "a\xff"}});
  EXPECT_EQ(read_metrics(path_).lines.size(), 1u);
}

}  // namespace eb::engine

// RAPL counters as files of our own.
#include "engine/run/energy.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_dir.h"

namespace eb::engine {

class EnergyTest : public testing::Test {
 protected:
  void zone(const std::string& name, const std::string& label, const std::string& microjoules,
            const std::string& range = "1000000000") {
    std::filesystem::create_directories(dir_ / name);
    put(name + "/name", label);
    put(name + "/max_energy_range_uj", range);
    put(name + "/energy_uj", microjoules);
  }
  void put(const std::string& file, const std::string& text) { std::ofstream(dir_ / file) << text << "\n"; }
  TempDir dir_;
};

TEST_F(EnergyTest, packages_are_summed_between_laps) {
  zone("intel-rapl:0", "package-0", "1000000");
  zone("intel-rapl:1", "package-1", "5000000");
  EnergyMeter meter(dir_.path());
  EXPECT_EQ(meter.lap(), 0.0);
  put("intel-rapl:0/energy_uj", "3500000");
  put("intel-rapl:1/energy_uj", "6000000");
  EXPECT_DOUBLE_EQ(meter.lap().value(), 3.5);
  EXPECT_EQ(meter.lap(), 0.0);
}

TEST_F(EnergyTest, parts_and_other_views_of_a_package_are_not_counted_twice) {
  zone("intel-rapl:0", "package-0", "0");
  for (const auto& [name, label] : {std::pair{"intel-rapl:0:0", "core"},
                                    {"intel-rapl:1", "psys"},
                                    {"intel-rapl-mmio:0", "package-0"},
                                    {"dtpm", "package-0"}})
    zone(name, label, "0");
  EnergyMeter meter(dir_.path());
  for (const char* name : {"intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl-mmio:0", "dtpm"})
    put(std::string(name) + "/energy_uj", "2000000");
  EXPECT_DOUBLE_EQ(meter.lap().value(), 2.0);
}

TEST_F(EnergyTest, counters_wrap_around) {
  zone("intel-rapl:0", "package-0", "9000000", "10000000");
  EnergyMeter meter(dir_.path());
  put("intel-rapl:0/energy_uj", "500000");
  meter.sample();
  put("intel-rapl:0/energy_uj", "9500000");
  meter.sample();
  put("intel-rapl:0/energy_uj", "250000");
  EXPECT_DOUBLE_EQ(meter.lap().value(), 1.5 + 9.0 + 0.75);
}

TEST_F(EnergyTest, what_cannot_be_read_is_no_number) {
  EXPECT_FALSE(EnergyMeter(dir_ / "missing").lap().has_value());
  EXPECT_FALSE(EnergyMeter(dir_.path()).lap().has_value());
  zone("intel-rapl:0", "package-0", "1000");
  zone("intel-rapl:1", "package-1", "garbage");
  EXPECT_FALSE(EnergyMeter(dir_.path()).lap().has_value());  // half of the machine is not the machine
  put("intel-rapl:1/energy_uj", "1000");
  EnergyMeter meter(dir_.path());
  EXPECT_TRUE(meter.lap().has_value());
  std::filesystem::remove(dir_ / "intel-rapl:1" / "energy_uj");
  EXPECT_FALSE(meter.lap().has_value());
  put("intel-rapl:1/energy_uj", "9000");
  EXPECT_FALSE(meter.lap().has_value());  // the gap stays unknown
}

// A card's counter that the test sets.
struct Counter {
  std::optional<double> joules = 100.0;
  EnergyMeter::Card card() {
    return [this] { return joules; };
  }
};

TEST_F(EnergyTest, a_card_is_added_to_the_packages) {
  zone("intel-rapl:0", "package-0", "1000000");
  Counter counter;
  EnergyMeter meter(dir_.path(), counter.card());
  EXPECT_EQ(meter.method(), "rapl+nvml");
  put("intel-rapl:0/energy_uj", "3500000");
  counter.joules = 140.0;
  EXPECT_DOUBLE_EQ(meter.lap().value(), 2.5 + 40.0);
  counter.joules = 141.0;
  EXPECT_DOUBLE_EQ(meter.lap().value(), 1.0);
}

TEST_F(EnergyTest, what_can_be_read_when_it_begins_is_what_is_counted) {
  Counter counter;
  EnergyMeter card_alone(dir_ / "missing", counter.card());
  EXPECT_EQ(card_alone.method(), "nvml");
  counter.joules = 107.0;
  EXPECT_EQ(card_alone.lap(), 7.0);
  zone("intel-rapl:0", "package-0", "1000");
  EXPECT_EQ(EnergyMeter(dir_.path()).method(), "rapl");
  counter.joules.reset();
  EXPECT_EQ(EnergyMeter(dir_.path(), counter.card()).method(), "rapl");
  EXPECT_EQ(EnergyMeter("", counter.card()).method(), "");
  EXPECT_EQ(EnergyMeter("", counter.card()).lap(), std::nullopt);
  zone("intel-rapl:1", "package-1", "garbage");
  counter.joules = 1.0;
  EXPECT_EQ(EnergyMeter(dir_.path(), counter.card()).method(), "nvml");
}

TEST_F(EnergyTest, a_card_that_stops_answering_leaves_a_gap) {
  zone("intel-rapl:0", "package-0", "1000");
  Counter counter;
  EnergyMeter meter(dir_.path(), counter.card());
  counter.joules.reset();
  EXPECT_EQ(meter.lap(), std::nullopt);
  counter.joules = 200.0;
  EXPECT_EQ(meter.lap(), std::nullopt) << "what was used in the gap stays unknown";
  counter.joules = 203.0;
  EXPECT_EQ(meter.lap(), 3.0);
  Counter reset;
  EnergyMeter other("", reset.card());
  reset.joules = 3.0;  // the driver was loaded anew
  EXPECT_EQ(other.lap(), std::nullopt);
  reset.joules = 8.0;
  EXPECT_EQ(other.lap(), 5.0);
}

TEST_F(EnergyTest, without_a_path_nothing_is_measured) {
  EXPECT_EQ(EnergyMeter("").lap(), std::nullopt);
}

}  // namespace eb::engine

// Names of enumerations: in code, in JSON and in what a wrong one is told.
#include "engine/base/enum_names.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/base/phase.h"
#include "engine/config/config.h"
#include "support/error_code.h"

namespace eb::test {
namespace {

using namespace engine;
using nlohmann::json;

enum class Fruit : uint8_t { apple, black_currant };
constexpr auto enum_names(Fruit) {
  return names("apple", "black currant");
}

TEST(EnumNames, name_and_value_go_both_ways) {
  for (const Fruit fruit : {Fruit::apple, Fruit::black_currant})
    EXPECT_EQ(value_of<Fruit>(name_of(fruit)), fruit);
  EXPECT_EQ(name_of(Fruit::black_currant), "black currant");
  EXPECT_EQ(value_of<Fruit>("pear"), std::nullopt);
  EXPECT_EQ(value_of<Fruit>(""), std::nullopt);
  EXPECT_EQ(value_of<Fruit>("Apple"), std::nullopt);
}

TEST(EnumNames, counts_the_values_of_an_enumeration) {
  EXPECT_TRUE(is_enumerator<Fruit::black_currant>());
  EXPECT_FALSE(is_enumerator<static_cast<Fruit>(2)>());
}

TEST(EnumNames, an_unknown_name_is_told_the_ones_there_are) {
  const Error e = error_of([] { named<Fruit>("aple", "basket.fruit", 2005); });
  EXPECT_EQ(e.code(), 2005);
  EXPECT_EQ(e.message(), "basket.fruit: \"aple\" is not a choice, want apple | black currant");
  EXPECT_EQ(e.hint(), "did you mean \"apple\"?");
}

TEST(EnumNames, in_json_a_value_is_its_name) {
  const json j = {{"fruit", Fruit::apple}, {"all", std::vector{Fruit::black_currant}}};
  EXPECT_EQ(j.dump(), R"({"all":["black currant"],"fruit":"apple"})");
  EXPECT_EQ(j["fruit"], Fruit::apple);
  EXPECT_NE(j["fruit"], Fruit::black_currant);
  EXPECT_EQ(j.at("all").get<std::vector<Fruit>>(), std::vector{Fruit::black_currant});
}

TEST(EnumNames, json_that_names_no_value_is_refused) {
  EXPECT_EQ(error_of([] { (void)json("pear").get<Fruit>(); }).code(), 4023);
  EXPECT_THROW((void)json(1).get<Fruit>(), json::exception);
  EXPECT_THROW((void)json(nullptr).get<Fruit>(), json::exception);
}

TEST(EnumNames, phases_are_spelled_as_in_the_files_of_every_run) {
  EXPECT_EQ(json(Phase::dense), "dense");
  EXPECT_EQ(json(Phase::search), "search");
  EXPECT_EQ(json(Phase::retrain), "retrain");
}

// The field may allow a name that the enumeration lacks; it is no value all the same.
TEST(EnumNames, a_config_is_read_by_the_names_and_nothing_else) {
  const Table table{{Field{"fruit", Field::Type::string, "apple", "Fruit."}.one_of({"apple", "pear"})}};
  EXPECT_EQ(load_config(table, {}).get<Fruit>("fruit"), Fruit::apple);
  const Config pear = load_config(table, {}, {"fruit=pear"});
  EXPECT_EQ(error_of([&] { (void)pear.get<Fruit>("fruit"); }).code(), 2005);
  const Table strict{{Field{"fruit", Field::Type::string, "apple", "Fruit."}.one_of(names_of<Fruit>())}};
  EXPECT_EQ(load_config(strict, {}, {"fruit=black currant"}).get<Fruit>("fruit"), Fruit::black_currant);
  EXPECT_EQ(error_of([&] { load_config(strict, {}, {"fruit=pear"}); }).code(), 2005);
}

}  // namespace
}  // namespace eb::test

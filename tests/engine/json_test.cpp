// Strict JSON: what is refused, with which code, and where the message points.
#include "engine/base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/error.h"

using namespace eb;
using engine::parse_json;

static Error refused(const std::string& text, bool comments = true) {
  try {
    parse_json(text, "f.json", comments);
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "accepted: " << text.substr(0, 100);
  return Error(0, "");
}

TEST(Json, reads_values_as_they_are) {
  const auto j = parse_json(R"( // one
    {"a": 1, "b": [true, null, -2.5e3, "x\"y"], /* two */ "c": {"d": {}} })",
                            "f", true);
  EXPECT_EQ(j["a"], 1);
  EXPECT_EQ(j["b"], (nlohmann::json{true, nullptr, -2500.0, "x\"y"}));
  EXPECT_EQ(j["c"]["d"], nlohmann::json::object());
  EXPECT_EQ(parse_json("18446744073709551615", "f", false), 18446744073709551615u);
  EXPECT_EQ(parse_json("\xEF\xBB\xBF[]", "f", false), nlohmann::json::array());
}

TEST(Json, syntax_errors_are_2001_at_their_place) {
  struct Case {
    std::string text, where;
  };
  for (const Case& c : {Case{"{\"a\": }", "f.json:1:7 "}, Case{"{\n  \"a\": 1,\n  b: 2\n}", "f.json:3:3 "},
                        Case{"{\"a\": NaN}", "f.json:1:7 "}, Case{"{\"a\": [1, -Infinity]}", "f.json:1:12 "},
                        Case{"[1, 2,]", "f.json:1:7 "}, Case{"{} {}", "f.json:1:4 "}, Case{"", "f.json:1:1 "},
                        Case{"[\"a\x01\"]", "f.json:1:4 "}, Case{"[\"\xC3\x28\"]", "f.json:1:4 "},
                        Case{"[\"\\ud800\"]", "f.json:1:9 "}}) {
    const Error e = refused(c.text);
    EXPECT_EQ(e.code(), 2001) << c.text;
    EXPECT_TRUE(e.where().starts_with(c.where)) << c.text << " -> " << e.where();
  }
  EXPECT_EQ(refused("[1e999]").code(), 2001);
  EXPECT_EQ(refused("/* no end").code(), 2001);
  EXPECT_EQ(refused("// no comments here\n{}", false).code(), 2001);
}

TEST(Json, a_nul_ends_nothing) {
  using namespace std::string_literals;
  for (const std::string& text : {"{}\0"s, "{}\0{\"a\": 1}"s, "{\"a\":\0 1}"s, "{} // \0"s}) {
    const Error e = refused(text);
    EXPECT_EQ(e.code(), 2001) << text;
    EXPECT_NE(e.message().find("NUL"), std::string::npos) << e.message();
    EXPECT_TRUE(engine::try_parse_json(text).is_discarded()) << text;
  }
  EXPECT_NE(refused("{\n  \0}"s).where().find(":2:3"), std::string::npos);
}

TEST(Json, utf16_is_named) {
  using namespace std::string_literals;
  for (const std::string& text : {"\xff\xfe{\0}\0"s, "\xfe\xff\0{\0}"s, "{\0}\0"s, "\0{\0}"s}) {
    const Error e = refused(text);
    EXPECT_EQ(e.code(), 2001);
    EXPECT_NE(e.message().find("UTF-16"), std::string::npos) << e.message();
    EXPECT_EQ(e.hint(), "save it as UTF-8");
  }
}

TEST(Json, duplicate_keys_are_2002_at_the_second) {
  const Error e = refused("{\n \"a\": {\"k\": 1,\n   \"k\": 2}}");
  EXPECT_EQ(e.code(), 2002);
  EXPECT_EQ(e.where(), "f.json:3:4   (/a/k)");
  EXPECT_EQ(refused(R"({"a": 1, "\u0061": 2})").code(), 2002);  // equal once unescaped
  EXPECT_NO_THROW(parse_json(R"([{"a": 1}, {"a": 2}])", "f", false));
}

TEST(Json, limits) {
  EXPECT_NO_THROW(parse_json(std::string(64, '[') + std::string(64, ']'), "f", false));
  EXPECT_EQ(refused(std::string(65, '[') + std::string(65, ']')).code(), 2001);
  EXPECT_EQ(refused(std::string(1'000'000, '[')).code(), 2001);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_EQ(refused(objects).code(), 2001);

  std::string list = "[0";
  for (int i = 1; i < 100'000; ++i) list += ",0";
  EXPECT_EQ(parse_json(list + "]", "f", false).size(), 100'000u);
  EXPECT_EQ(refused(list + ",0]").code(), 2001);

  const std::string blank(size_t{4} << 20, ' ');
  EXPECT_EQ(refused(blank + "1").code(), 2001);
  EXPECT_EQ(parse_json(blank.substr(1) + "1", "f", false), 1);
}

TEST(Json, messages_are_printable) {
  const Error e = refused("{\"\\u001b[31m\": 1, \"\\u001b[31m\": 2}");
  EXPECT_EQ(e.code(), 2002);
  EXPECT_EQ(e.text().find('\x1b'), std::string::npos);
  EXPECT_LT(refused("{\"" + std::string(1'000'000, 'k') + "\": 1,}").text().size(), 1000u);
}

TEST(Json, locates_keys_and_elements) {
  const std::string text = R"(// head
{ "a": 1,
  "b~/c": [10, -2.5, "x\\", {"d": null}, [true]],
  "e": {"a": {"a": 3}} })";
  const auto at = [&](const std::string& pointer) {
    const auto p = engine::locate(text, pointer);
    return p ? std::to_string(p->line) + ":" + std::to_string(p->column) : "none";
  };
  EXPECT_EQ(at("/a"), "2:3");
  EXPECT_EQ(at("/b~0~1c"), "3:3");
  EXPECT_EQ(at("/b~0~1c/0"), "3:12");
  EXPECT_EQ(at("/b~0~1c/1"), "3:16");
  EXPECT_EQ(at("/b~0~1c/2"), "3:22");
  EXPECT_EQ(at("/b~0~1c/3"), "3:29");
  EXPECT_EQ(at("/b~0~1c/3/d"), "3:30");
  EXPECT_EQ(at("/b~0~1c/4"), "3:42");
  EXPECT_EQ(at("/b~0~1c/4/0"), "3:43");
  EXPECT_EQ(at("/e/a"), "4:9");
  EXPECT_EQ(at("/e/a/a"), "4:15");
  EXPECT_EQ(at("/b"), "none");
  EXPECT_EQ(at("/a/0"), "none");
}

TEST(Json, a_text_cut_off_is_discarded_where_nobody_wants_to_know_why) {
  EXPECT_EQ(engine::try_parse_json(R"({"a": [1, 2]})")["a"][1], 2);
  for (const char* cut : {"", "{\"a\": [1, 2", "{} {}", "nul", "// 1"})
    EXPECT_TRUE(engine::try_parse_json(cut).is_discarded()) << cut;
}

// One table of names for each enumeration: what configs and command lines spell, what files hold and messages
// say. It stands beside the enumeration, in the order of its values, and is found by its type:
//   enum class Merge : uint8_t { mean, max };
//   constexpr auto enum_names(Merge) { return names("mean", "max"); }
// A value without a name, or a name without a value, does not compile. A name that no value has is never
// taken for another: value_of() is empty, named() throws. In JSON such a value is its name, both ways.
#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "engine/base/error_codes.h"

namespace eb::engine {

template <std::convertible_to<std::string_view>... Text>
constexpr std::array<std::string_view, sizeof...(Text)> names(const Text&... all) {
  return {std::string_view(all)...};
}

template <class E>
concept NamedEnum = std::is_enum_v<E> && requires(E value) {
  enum_names(value).size();
};

// False for a number that the enumeration has no value for: the compiler spells that one as a cast.
template <auto value>
consteval bool is_enumerator() {
  constexpr std::string_view text = __PRETTY_FUNCTION__;  // "... [with auto value = eb::Merge::max]"
  constexpr size_t cast = text.rfind(')');                // or "... = (eb::Merge)2]"
  return cast < text.find("value = ") || text[cast + 1] == ':';
}

template <NamedEnum E>
inline constexpr auto name_table = enum_names(E{});

template <NamedEnum E>
constexpr const auto& names_of() {
  constexpr size_t count = name_table<E>.size();
  static_assert(is_enumerator<static_cast<E>(count - 1)>(), "more names than values");
  static_assert(!is_enumerator<static_cast<E>(count)>(), "a value has no name");
  return name_table<E>;
}

template <NamedEnum E>
constexpr std::string_view name_of(E value) {
  return names_of<E>()[static_cast<size_t>(value)];
}

template <NamedEnum E>
constexpr std::optional<E> value_of(std::string_view name) {
  for (size_t i = 0; i < names_of<E>().size(); ++i)
    if (names_of<E>()[i] == name) return static_cast<E>(i);
  return std::nullopt;
}

[[noreturn]] void throw_unknown_name(int code, const std::string& what, std::string_view name,
                                     std::span<const std::string_view> known);

// The value of that name; else Error `code`: `what` and the names there are.
template <NamedEnum E>
E named(std::string_view name, const std::string& what, int code) {
  const auto value = value_of<E>(name);
  if (!value) throw_unknown_name(code, what, name, names_of<E>());
  return *value;
}

}  // namespace eb::engine

// Without it a value would be written as its number. Reading throws json::exception for what is no text,
// Error 4023 for a name that no value has.
template <eb::engine::NamedEnum E>
struct nlohmann::adl_serializer<E> {
  template <class Json>
  static void to_json(Json& j, E value) {
    j = eb::engine::name_of(value);
  }
  template <class Json>
  static void from_json(const Json& j, E& value) {
    value = eb::engine::named<E>(j.template get_ref<const std::string&>(), "a name in a saved file",
                                 eb::errors::checkpoint_content);
  }
};

// Strict JSON on nlohmann's event parser, which does not recurse: a hostile text cannot exhaust the stack.
// The events carry no positions, so the parser reads through an iterator that counts; that costs nothing
// until an error needs a line.
#include "engine/base/json.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"

namespace eb::engine {

using nlohmann::json;

namespace {

constexpr size_t max_bytes = size_t{4} << 20;
constexpr size_t max_depth = 64;
constexpr size_t max_elements = 100'000;

struct CountingIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  const char* at;
  const char* begin;
  size_t* position;

  reference operator*() const { return *at; }
  CountingIterator& operator++() {
    *position = static_cast<size_t>(++at - begin);
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at == other.at; }
  bool operator!=(const CountingIterator& other) const { return at != other.at; }
};

TextPosition position_of(const std::string& text, size_t offset) {
  TextPosition p;
  for (size_t i = 0; i < std::min(offset, text.size()); ++i) {
    ++p.column;
    if (text[i] == '\n') ++p.line, p.column = 1;
  }
  return p;
}

// Receives the parser's events. Stops at the first fault, or where `target` is reached.
class Reader {
 public:
  Reader(const std::string& text, const std::string* target) : text_(text), target_(target) {
    if (target_) target_depth_ = static_cast<size_t>(std::count(target_->begin(), target_->end(), '/'));
  }

  bool null() { return value(nullptr, '0'); }
  bool boolean(bool v) { return value(v, '0'); }
  bool number_integer(int64_t v) { return value(v, '0'); }
  bool number_unsigned(uint64_t v) { return value(v, '0'); }
  bool number_float(double v, const std::string&) { return value(v, '0'); }
  bool string(std::string& v) { return value(std::move(v), '"'); }
  bool binary(json::binary_t&) { return false; }
  bool start_object(size_t) { return open(json::object(), '{'); }
  bool start_array(size_t) { return open(json::array(), '['); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    Frame& top = stack_.back();
    top.key = name;
    const size_t offset = token_start('"');
    if (reached(offset)) return false;
    if (top.node->contains(name))
      return fail(errors::json_duplicate_key, "duplicate key " + quote(name), offset);
    if (top.node->size() >= max_elements)
      return fail(errors::json_syntax, "an object of more than 100,000 keys", offset);
    return true;
  }

  bool parse_error(size_t position, const std::string&, const json::exception& e) {
    std::string message = e.what();
    const size_t text = message.find("syntax error");
    message = text == std::string::npos ? "number out of range" : message.substr(text);
    return fail(errors::json_syntax, "not JSON: " + printable(message), position ? position - 1 : 0);
  }

  size_t position = 0;  // bytes consumed so far
  json root;
  std::optional<Error> error;
  size_t found = std::string::npos;
  std::string file;

 private:
  struct Frame {
    json* node;
    std::string key = "";
    size_t index = 0;
  };

  bool fail(int code, const std::string& message, size_t offset) {
    const TextPosition p = position_of(text_, offset);
    const std::string hint = code == errors::json_duplicate_key ? "keep one of the two" : "";
    error = Error(code, message, hint,
                  file + ":" + std::to_string(p.line) + ":" + std::to_string(p.column) + "   (" +
                      printable(pointer()) + ")");
    return false;
  }

  std::string pointer() const {
    std::string p;
    for (const Frame& f : stack_) p = pointer_to(p, f.node->is_array() ? std::to_string(f.index) : f.key);
    return p.empty() ? "/" : p;
  }

  // The parser stands just behind a token, or one character further behind a number.
  size_t token_start(char kind) const {
    size_t i = std::min(position, text_.size());
    const auto in_word = [&](char c) { return isalnum(static_cast<unsigned char>(c)) || strchr("+-.", c); };
    if (kind == '{' || kind == '[') return i - 1;
    if (kind == '"') {
      for (i -= 2; text_[i] != '"' || (i > 0 && text_[i - 1] == '\\' && escaped(i)); --i) {
      }
      return i;
    }
    while (i > 0 && !(text_[i - 1] && in_word(text_[i - 1]))) --i;
    while (i > 0 && text_[i - 1] && in_word(text_[i - 1])) --i;
    return i;
  }

  bool escaped(size_t quote) const {
    size_t slashes = 0;
    while (quote > slashes && text_[quote - 1 - slashes] == '\\') ++slashes;
    return slashes % 2 == 1;
  }

  bool reached(size_t offset) {
    if (!target_ || stack_.size() != target_depth_ || pointer() != *target_) return false;
    found = offset;
    return true;
  }

  bool value(json v, char kind) { return place(std::move(v), kind) != nullptr; }

  bool open(json v, char kind) {
    json* node = place(std::move(v), kind);
    if (!node) return false;
    if (stack_.size() >= max_depth)
      return fail(errors::json_syntax, "nested deeper than 64 levels", position - 1);
    stack_.push_back({node});
    return true;
  }

  json* place(json v, char kind) {
    if (stack_.empty()) return &(root = std::move(v));
    Frame& top = stack_.back();
    if (top.node->is_object()) return &((*top.node)[top.key] = std::move(v));
    top.index = top.node->size();
    if (top.index >= max_elements) {
      fail(errors::json_syntax, "an array of more than 100,000 elements", token_start(kind));
      return nullptr;
    }
    if (reached(token_start(kind))) return nullptr;
    top.node->push_back(std::move(v));
    return &top.node->back();
  }

  bool close() {
    stack_.pop_back();
    return true;
  }

  const std::string& text_;
  const std::string* target_;
  size_t target_depth_ = 0;
  std::vector<Frame> stack_;
};

void scan(Reader& reader, const std::string& text, bool comments) {
  const char* begin = text.data();
  const char* end = begin + text.size();
  json::sax_parse(CountingIterator{begin, begin, &reader.position},
                  CountingIterator{end, begin, &reader.position}, &reader, json::input_format_t::json, true,
                  comments);
}

// The parser takes a NUL for the end of the text.
std::optional<Error> not_a_text(const std::string& text, const std::string& file) {
  const size_t nul = text.find('\0');
  const bool marked = text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff");
  if (marked || (text.size() > 1 && (text[0] == '\0') != (text[1] == '\0')))
    return Error(errors::json_syntax, "not JSON: the text is UTF-16", "save it as UTF-8", file);
  if (nul == std::string::npos) return std::nullopt;
  const TextPosition p = position_of(text, nul);
  return Error(errors::json_syntax, "not JSON: a NUL byte",
               "remove it and what is behind it, if that is not meant",
               file + ":" + std::to_string(p.line) + ":" + std::to_string(p.column));
}

}  // namespace

json parse_json(const std::string& text, const std::string& file, bool comments) {
  if (text.size() > max_bytes)
    throw Error(errors::json_syntax, "larger than 4 MiB: " + std::to_string(text.size()) + " bytes", "",
                file);
  if (const auto error = not_a_text(text, file)) throw *error;
  Reader reader(text, nullptr);
  reader.file = file;
  scan(reader, text, comments);
  if (reader.error) throw *reader.error;
  return std::move(reader.root);
}

json try_parse_json(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return json::value_t::discarded;
  return json::parse(text, nullptr, false);
}

std::string dump_json(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

std::string dump_json(const nlohmann::ordered_json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

std::optional<TextPosition> locate(const std::string& text, const std::string& pointer) {
  Reader reader(text, &pointer);
  scan(reader, text, true);
  if (reader.found == std::string::npos) return std::nullopt;
  return position_of(text, reader.found);
}

std::string pointer_to(const std::string& pointer, const std::string& key) {
  std::string p = pointer + "/";
  for (const char c : key) p += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return p;
}

}  // namespace eb::engine

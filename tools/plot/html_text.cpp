#include "tools/plot/html_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace eb::tools::page {

static constexpr char32_t replacement = 0xFFFD;

static void append_utf8(std::string& out, char32_t c) {
  const auto byte = [&](char32_t b) { out += static_cast<char>(b); };
  if (c < 0x80) return byte(c);
  if (c < 0x800) return byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F));
  if (c < 0x10000) return byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F));
  byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F));
}

// Bytes that the sequence beginning with `lead` needs; 0: no character begins like this.
static size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  return lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
}

static bool is_character(char32_t c, size_t length) {
  static constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  return c >= smallest[length] && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
}

// One character from `text` at `at`, which moves on; a broken sequence costs one byte.
static char32_t next_character(std::string_view text, size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const size_t length = sequence_length(lead), start = at++;
  if (length == 1) return lead;
  if (length == 0 || start + length > text.size()) return replacement;
  char32_t c = lead & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    const auto b = static_cast<unsigned char>(text[start + i]);
    if ((b & 0xC0) != 0x80) return replacement;
    c = c << 6 | (b & 0x3F);
  }
  if (!is_character(c, length)) return replacement;
  at = start + length;
  return c;
}

static std::vector<char32_t> characters(std::string_view text) {
  std::vector<char32_t> all;
  for (size_t at = 0; at < text.size();) all.push_back(next_character(text, at));
  return all;
}

// Characters that show nothing, or reorder what stands around them.
static bool is_hidden(char32_t c) {
  return c == 0x061C || c == 0x00AD || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xE0000 && c <= 0xE007F);
}

static void append_visible(std::string& out, char32_t c) {
  if (c < 0x20) return append_utf8(out, 0x2400 + c);  // the sign for that control character
  if (c == 0x7F) return append_utf8(out, 0x2421);
  if (c >= 0x80 && c < 0xA0) return append_utf8(out, replacement);
  if (is_hidden(c)) {
    out += fmt::format("[U+{:04X}]", static_cast<uint32_t>(c));
    return;
  }
  append_utf8(out, c);
}

static void append_escaped(std::string& out, char32_t c) {
  switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    case '\'':
      out += "&#39;";
      break;
    default:
      append_visible(out, c);
  }
}

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) append_escaped(out, next_character(text, at));
  return out;
}

std::string label(std::string_view text, size_t most) {
  const auto all = characters(text);
  std::string out;
  const size_t tail = most / 3, head = most - tail - 1;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all.size() > most && i == head) {
      out += "…";
      i = all.size() - tail;
    }
    append_utf8(out, all[i]);
  }
  return out;
}

std::string shortened(std::string_view text, size_t most) {
  if (characters(text).size() <= most) return escape(text);
  return "<span title=\"" + escape(text) + "\">" + escape(label(text, most)) + "</span>";
}

std::string json_text(const nlohmann::json& v, size_t most) {
  return shortened(v.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), most);
}

std::string base64(const std::string& bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace eb::tools::page

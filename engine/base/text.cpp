#include "engine/base/text.h"

#include <fmt/format.h>

#include <cctype>
#include <nlohmann/json.hpp>
#include <vector>

namespace eb::engine {

using nlohmann::json;

// --- characters ---

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

// --- messages and files ---

static constexpr char32_t first_byte = 0xEF80, last_byte = 0xEFFF;  // of text_of_bytes

// Whether a character shows as what it is; bytes: that it took.
static bool is_shown(char32_t c, size_t bytes) {
  const bool broken = c == replacement && bytes == 1, byte = c >= first_byte && c <= last_byte;
  return !broken && !byte && c >= 0x20 && !(c >= 0x7F && c < 0xA0) && !is_hidden(c);
}

static void append_printable(std::string& out, char32_t c, std::string_view bytes) {
  static constexpr std::string_view escaped = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
  const size_t short_form = c < 0x80 ? escaped.find(static_cast<char>(c)) : std::string_view::npos;
  if (short_form != std::string_view::npos)
    out += {'\\', letters[short_form]};
  else if (is_shown(c, bytes.size()))
    out += bytes;
  else if (c == replacement)
    out += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[0]));
  else if (c >= first_byte && c <= last_byte)
    out += fmt::format("\\x{:02x}", static_cast<uint32_t>(c & 0xFF));
  else
    out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
}

std::string printable(const std::string& text, size_t limit) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const char32_t c = next_character(text, at);
    if (at > limit) return out + "...";
    append_printable(out, c, std::string_view(text).substr(start, at - start));
  }
  return out;
}

std::string quote(const std::string& text, size_t limit) {
  return '"' + printable(text, limit) + '"';
}

static constexpr size_t longest_path = 4096;

std::string printable_path(const std::filesystem::path& path) {
  return printable(path.string(), longest_path);
}

std::string quote_path(const std::filesystem::path& path) {
  return quote(path.string(), longest_path);
}

// One character of a word in $'...', which alone can spell control characters and broken bytes.
static std::string spelled(std::string_view bytes, bool shown) {
  if (bytes == "'" || bytes == "\\") return "\\" + std::string(bytes);
  if (shown) return std::string(bytes);
  std::string out;
  for (const char byte : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return out;
}

std::string shell_word(const std::string& text) {
  static constexpr std::string_view special = "@%+=:,./-_";
  bool plain = !text.empty(), shown = true;
  std::string quoted, escaped;
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const char32_t c = next_character(text, at);
    const std::string bytes = text.substr(start, at - start);
    const bool shows = is_shown(c, bytes.size());
    shown &= shows;
    plain &=
        c >= 0x80 || std::isalnum(static_cast<int>(c)) || special.find(static_cast<char>(c)) != special.npos;
    quoted += bytes == "'" ? "'\\''" : bytes;
    escaped += spelled(bytes, shows);
  }
  if (!shown) return "$'" + escaped + "'";
  return plain ? text : "'" + quoted + "'";
}

std::string utf8(const std::string& text) {
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace)).get<std::string>();
}

std::string terminal_text(std::string_view text, size_t limit) {
  std::string plain;
  for (size_t i = 0; i < text.size() && plain.size() < limit; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool c1 = c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c >= 0x20 && c < 0x7F) plain += text[i];
    if (c >= 0xC0 && !c1) plain += '?';  // the first byte of a character
  }
  return plain;
}

// --- names in a config ---

std::string text_of_bytes(std::string_view bytes) {
  std::string text;
  for (size_t at = 0; at < bytes.size();) {
    const size_t start = at;
    const bool broken = next_character(bytes, at) == replacement && at == start + 1;
    if (broken)
      append_utf8(text, 0xEF00 | static_cast<unsigned char>(bytes[start]));
    else
      text += bytes.substr(start, at - start);
  }
  return text;
}

std::string bytes_of_text(std::string_view text) {
  std::string bytes;
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const char32_t c = next_character(text, at);
    if (c >= first_byte && c <= last_byte)
      bytes += static_cast<char>(c & 0xFF);
    else
      bytes += text.substr(start, at - start);
  }
  return bytes;
}

// --- pages ---

static void append_visible(std::string& out, char32_t c) {
  if (c < 0x20) return append_utf8(out, 0x2400 + c);  // the sign for that control character
  if (c == 0x7F) return append_utf8(out, 0x2421);
  if ((c >= 0x80 && c < 0xA0) || (c >= first_byte && c <= last_byte)) return append_utf8(out, replacement);
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

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) append_escaped(out, next_character(text, at));
  return out;
}

size_t count_characters(std::string_view text) {
  return characters(text).size();
}

std::string shorten(std::string_view text, size_t most) {
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

}  // namespace eb::engine

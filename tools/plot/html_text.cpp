#include "tools/plot/html_text.h"

#include <nlohmann/json.hpp>

#include "engine/base/json.h"

namespace eb::tools::page {

std::string shortened(std::string_view text, size_t most) {
  if (engine::count_characters(text) <= most) return escape_html(text);
  return "<span title=\"" + escape_html(text) + "\">" + escape_html(shorten(text, most)) + "</span>";
}

std::string json_text(const nlohmann::json& v, size_t most) {
  return shortened(engine::dump_json(v), most);
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

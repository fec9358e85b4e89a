#include "tools/cli/config_docs.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/config/config_check.h"
#include "engine/graph/graph_schema.h"

namespace eb::tools {

using engine::Field;
using engine::Table;
using nlohmann::ordered_json;
using Type = Field::Type;

static const char* const config_intro = R"(# Configuration

<!-- Written by `eb_engine config docs > docs/config.md`; a test compares the two. -->

An experiment is one JSON file; `//` and `/* */` comments are allowed. Every key is checked: an unknown key, a wrong
type or a value out of range is an error with file, line and column. `models/` holds complete examples.

Later layers win: defaults, then `early_bird.preset`, then the file that `"extends"` names, then the files of the
command line from left to right, then `--set`. Sections merge key by key, everything else is replaced.

- `"extends": "base/cifar.json"` names a file in the folder of the config or below it, at most 8 deep.
- `--set train.optimizer.lr=0.05`, `--set 'early_bird.watch=[0.3,0.5]'`, `--set 'early_bird.watch[0]=0.4'`: the value is
  JSON, or plain text where the key wants text. A key that is set twice takes the last value, with a warning.
- Durations are epochs (`"160ep"`) or optimizer steps (`"2000st"`).
- `eb_engine config show --origin FILE` prints every value and where it came from, `config explain KEY` one key,
  `config validate FILE` only checks, `config schema` prints a JSON Schema for editors.
- `eb_engine config graph FILE` prints the network as `model.graph`, to change and train: [own_network.md](own_network.md).
)";

static std::string default_text(const Field& f) {
  return f.required ? "(must be given)" : f.default_value.dump();
}

static std::string allowed_text(const Field& f) {
  std::string text = f.only ? "only " + f.only->dump() + " yet" : range_of(f);
  if (f.length) text += fmt::format("{}{} elements", text.empty() ? "" : "; ", f.length);
  if (f.nullable && !f.default_value.is_null()) text += text.empty() ? "or null" : "; or null";
  return text;
}

static std::string cell(std::string text) {
  for (size_t i = 0; (i = text.find('|', i)) != std::string::npos; i += 2) text.insert(i, 1, '\\');
  return text;
}

std::string config_reference(const Table& table) {
  std::string out = config_intro, section = "-";
  for (const Field& f : table.fields) {
    const size_t dot = f.key.find('.');
    const std::string own = dot == std::string::npos ? "" : f.key.substr(0, dot);
    if (own != section) {
      section = own;
      out += fmt::format("\n## {}\n\n| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n",
                         own.empty() ? "General" : "`" + own + "`");
    }
    out += fmt::format("| `{}` | {} | `{}` | {} | {} |\n", f.key, name_of(f.type), default_text(f),
                       cell(allowed_text(f)), cell(f.doc));
  }
  return out;
}

static std::string explain_field(const Field& f) {
  std::string out =
      fmt::format("{}\n  {}\n  type     {}\n  default  {}\n", f.key, f.doc, name_of(f.type), default_text(f));
  if (const std::string allowed = allowed_text(f); !allowed.empty())
    out += fmt::format("  allowed  {}\n", allowed);
  if (f.key == "model.graph")
    out += "  inside   every op and its keys: eb_engine config ops; as JSON Schema: --json\n";
  return out;
}

std::string explain(const Table& table, const std::string& key) {
  if (const Field* f = table.find(key)) return explain_field(*f);
  if (!key.empty() && !table.is_section(key)) {
    const size_t dot = key.rfind('.');
    const std::string section = dot == std::string::npos ? "" : key.substr(0, dot);
    throw engine::unknown_key(table, section, key.substr(dot + 1), engine::Origin{"default"});
  }
  size_t width = 0;
  for (const Field& f : table.fields) width = std::max(width, f.key.size());
  std::string out;
  for (const Field& f : table.fields)
    if (key.empty() || f.key.starts_with(key + ".")) out += fmt::format("{:<{}}  {}\n", f.key, width, f.doc);
  return out;
}

static const char* schema_type(Type element) {
  if (element == Type::boolean) return "boolean";
  if (element == Type::integer) return "integer";
  if (element == Type::number) return "number";
  if (element == Type::object) return "object";
  return "string";
}

static ordered_json scalar_schema(const Field& f) {
  const Type type = element_of(f.type);
  ordered_json s;
  s["type"] = schema_type(type);
  if (!f.choices.empty()) s["enum"] = f.choices;
  if (f.min) s[f.open ? "exclusiveMinimum" : "minimum"] = *f.min;
  if (f.max) s[f.open ? "exclusiveMaximum" : "maximum"] = *f.max;
  if (type == Type::duration) s["pattern"] = "^[0-9]+(ep|st)$";
  if (f.only) s["const"] = *f.only;
  if (f.key == "model.graph") s = engine::graph_schema();
  return s;
}

ordered_json field_schema(const Field& f) {
  ordered_json s = scalar_schema(f);
  if (is_list(f.type)) {
    s = {{"type", "array"}, {"items", s}};
    if (f.length) s["minItems"] = s["maxItems"] = f.length;
  }
  std::vector<ordered_json> either = {s};
  if (f.nullable) either.push_back({{"type", "null"}});
  for (const auto& [word, meaning] : f.synonyms) either.push_back({{"const", word}});
  if (either.size() > 1) s = {{"anyOf", either}};
  s["description"] = f.doc;
  if (!f.required) s["default"] = f.default_value;
  return s;
}

ordered_json config_schema(const Table& table) {
  const ordered_json section = {
      {"type", "object"}, {"additionalProperties", false}, {"properties", ordered_json::object()}};
  ordered_json root = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                       {"title", "eb_engine experiment"}};
  root.update(section);
  root["properties"]["extends"] = {{"type", "string"},
                                   {"description", "File whose values this one starts from."}};
  for (const Field& f : table.fields) {
    ordered_json* node = &root;
    size_t begin = 0;
    for (size_t dot; (dot = f.key.find('.', begin)) != std::string::npos; begin = dot + 1) {
      ordered_json& child = (*node)["properties"][f.key.substr(begin, dot - begin)];
      if (child.is_null()) child = section;
      node = &child;
    }
    (*node)["properties"][f.key.substr(begin)] = field_schema(f);
  }
  return root;
}

}  // namespace eb::tools

#include "quant/fields.h"

#include <fmt/format.h>

#include <algorithm>

namespace eb::quant {

using engine::BlockFormat;
using engine::Config;
using engine::Field;
using engine::Phase;
using engine::Precision;
using engine::Quantize;
using engine::Table;
using Type = Field::Type;

namespace {

// A dense run is all search.
constexpr auto quantizable = engine::names(name_of(Phase::search), name_of(Phase::retrain));

// What has a word length and blocks of its own.
struct Format {
  const char *name, *what, *first_dimension;
};
constexpr Format formats[] = {
    {"weight", "values of the parameters after every update", "row"},
    {"activation", "outputs of convolutions, and their inputs with precision.conv_inputs", "sample"},
    {"error", "gradients of the outputs of convolutions", "sample"},
    {"gradient", "gradients of the parameters, before weight decay", "row"},
    {"momentum", "momentum of the parameters after every update", "row"}};

std::string key(const Format& f, const char* member) {
  return fmt::format("precision.{}.{}", f.name, member);
}

std::vector<Field> format_fields(const Format& f) {
  return {
      Field{key(f, "bits"), Type::integer, nullptr, fmt::format("Word length of the {}.", f.what)}
          .range(2, 8)
          .or_null(),
      Field{
          key(f, "block"), Type::string, f.first_dimension,
          fmt::format("Which of the {} share an exponent: all of a tensor, one {} of it, or none; biases and "
                      "batch norms have one for each number.",
                      f.what, f.first_dimension)}
          .one_of({"tensor", f.first_dimension, "element"})
          .not_yet({"channel"}),
  };
}

std::vector<Field> general_fields() {
  return {
      Field{"precision.preset", Type::string, nullptr,
            "8-bit training (SWALP). reference: the paper's code, bit for bit; convolutions read f32. "
            "swalp8: all "
            "operands of convolutions are int8. Your own values win."}
          .one_of({"reference", "swalp8"})
          .or_null(),
      Field{"precision.phases", Type::list_of_strings, nlohmann::json::array(),
            "Phases in 8 bit: search (or a dense run), retrain. Both is the paper's LL, search alone LF, "
            "retrain "
            "alone FL."}
          .one_of(quantizable),
      Field{"precision.conv_inputs", Type::boolean, true,
            "Inputs of convolutions are stored in 8 bit too, so that they multiply int8 by int8."},
      Field{"precision.backward_weight", Type::string, "same",
            "Weights that backward-data reads: the same as the forward pass, or (tensor) rounded once more, "
            "to the "
            "nearest, with one exponent for each tensor, so that it multiplies int8 though weights have an "
            "exponent a row."}
          .one_of({"same", "tensor"}),
      Field{
          "precision.arithmetic", Type::string, "integer",
          "Products of 8-bit convolutions: integer multiplies int8 where the blocks allow it; exact computes "
          "with the numbers they stand for everywhere."}
          .one_of({"integer", "exact"}),
      Field{"precision.rounding", Type::string, "stochastic", "Rounding to 8 bit in training."}.one_of(
          {"stochastic", "nearest"}),
      Field{"precision.eval_rounding", Type::string, "nearest",
            "Rounding of activations in evaluation; with stochastic the result depends on "
            "train.eval_batch_size."}
          .one_of({"stochastic", "nearest"}),
  };
}

engine::Preset preset(const char* name, bool conv_inputs, const char* backward_weight,
                      const char* eval_rounding) {
  engine::Preset p{"precision.preset", name, {{"precision.phases", quantizable}}};
  for (const Format& f : formats) {
    p.values.emplace_back(key(f, "bits"), 8);
    p.values.emplace_back(key(f, "block"), f.first_dimension);
  }
  p.values.emplace_back("precision.backward_weight", backward_weight);
  p.values.emplace_back("precision.conv_inputs", conv_inputs);
  p.values.emplace_back("precision.rounding", "stochastic");
  p.values.emplace_back("precision.eval_rounding", eval_rounding);
  return p;
}

bool in_phase(const Config& c, Phase phase) {
  const auto phases = c.get<std::vector<Phase>>("precision.phases");
  return std::find(phases.begin(), phases.end(), phase) != phases.end();
}

// A word length that nothing uses is a mistake: the run would train in full precision without a word.
void unused_format_rule(Config& c) {
  if (!c.at("precision.phases").empty()) return;
  for (const Format& f : formats)
    if (!c.is_null(key(f, "bits")))
      throw c.error(2010, key(f, "bits"), "a word length, but precision.phases names no phase in 8 bit",
                    "add precision.phases, as in [\"search\", \"retrain\"]");
}

void reference_rule(Config& c) {
  if (c.is_null("precision.preset") || c.get<std::string>("precision.preset") != "reference") return;
  if (c.get<std::string>("precision.mode") != "f32")
    throw c.error(2010, "precision.mode", "the preset \"reference\" computes in f32",
                  "set precision.mode to f32, or take the preset swalp8");
}

void word_length_rule(Config& c) {
  if (c.at("precision.phases").empty()) return;
  for (const Format& f : formats)
    if (c.is_null(key(f, "bits")))
      throw c.error(2006, key(f, "bits"), "missing word length of an 8-bit run",
                    "give it, 2 to 8, or a precision.preset that gives them all");
}

Quantize::Rounding rounding(const Config& c, const char* key) {
  return c.get<std::string>(key) == "nearest" ? Quantize::Rounding::nearest : Quantize::Rounding::stochastic;
}

BlockFormat format(const Config& c, const Format& f) {
  const auto block = c.get<std::string>(key(f, "block"));
  using Block = BlockFormat::Block;
  return {c.get<int>(key(f, "bits")), block == "tensor"    ? Block::tensor
                                      : block == "element" ? Block::element
                                                           : Block::dim0};
}

}  // namespace

const Table& precision_fields() {
  static const Table table = [] {
    Table t;
    t.fields = general_fields();
    for (const Format& f : formats)
      for (Field& field : format_fields(f)) t.fields.push_back(std::move(field));
    t.presets = {preset("reference", false, "same", "stochastic"),
                 preset("swalp8", true, "tensor", "nearest")};
    t.rules = {unused_format_rule, reference_rule, word_length_rule};
    return t;
  }();
  return table;
}

engine::PhasePrecision phase_precision(const Config& c) {
  engine::PhasePrecision p;
  if (c.at("precision.phases").empty()) return p;
  Precision& f = p.format;
  f.quantized = true;
  f.weight = format(c, formats[0]);
  f.activation = format(c, formats[1]);
  f.error = format(c, formats[2]);
  f.gradient = format(c, formats[3]);
  f.momentum = format(c, formats[4]);
  f.conv_inputs = c.get<bool>("precision.conv_inputs");
  f.backward_by_tensor = f.conv_inputs && c.get<std::string>("precision.backward_weight") == "tensor";
  f.integer = c.get<std::string>("precision.arithmetic") == "integer";
  f.rounding = rounding(c, "precision.rounding");
  f.eval_rounding = rounding(c, "precision.eval_rounding");
  f.seed = c.get<uint64_t>("seed");
  p.search = in_phase(c, Phase::search);
  p.retrain = in_phase(c, Phase::retrain);
  return p;
}

}  // namespace eb::quant

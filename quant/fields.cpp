#include "quant/fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/error_codes.h"
#include "engine/tensor/dtype_names.h"

namespace eb::quant {

using engine::BlockFormat;
using engine::Config;
using engine::DType;
using engine::Field;
using engine::names_of;
using engine::Phase;
using engine::Precision;
using engine::Table;
using Rounding = engine::Quantize::Rounding;
using Type = Field::Type;

namespace {

enum class BackwardWeight : uint8_t { same, tensor };
constexpr auto enum_names(BackwardWeight) {
  return engine::names("same", "tensor");
}
enum class Arithmetic : uint8_t { integer, exact };
constexpr auto enum_names(Arithmetic) {
  return engine::names("integer", "exact");
}
constexpr auto roundings =
    engine::names(engine::name_of(Rounding::stochastic), engine::name_of(Rounding::nearest));

// A dense run is all search.
constexpr auto quantizable = engine::names(name_of(Phase::search), name_of(Phase::retrain));

// What has a word length and blocks of its own.
struct Format {
  const char *name, *what, *first_dimension;
};
// In the order of BlockFormat::Block.
constexpr auto block_names(const Format& f) {
  return engine::names("tensor", f.first_dimension, "element");
}
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
          .one_of(block_names(f))
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
      Field{"precision.backward_weight", Type::string, BackwardWeight::same,
            "Weights that backward-data reads: the same as the forward pass, or (tensor) rounded once more, "
            "to the "
            "nearest, with one exponent for each tensor, so that it multiplies int8 though weights have an "
            "exponent a row."}
          .one_of(names_of<BackwardWeight>()),
      Field{
          "precision.arithmetic", Type::string, Arithmetic::integer,
          "Products of 8-bit convolutions: integer multiplies int8 where the blocks allow it; exact computes "
          "with the numbers they stand for everywhere."}
          .one_of(names_of<Arithmetic>()),
      Field{"precision.rounding", Type::string, Rounding::stochastic, "Rounding to 8 bit in training."}
          .one_of(roundings),
      Field{"precision.eval_rounding", Type::string, Rounding::nearest,
            "Rounding of activations in evaluation; with stochastic the result depends on "
            "train.eval_batch_size."}
          .one_of(roundings),
  };
}

engine::Preset preset(const char* name, bool conv_inputs, BackwardWeight backward_weight,
                      Rounding eval_rounding) {
  engine::Preset p{"precision.preset", name, {{"precision.phases", quantizable}}};
  for (const Format& f : formats) {
    p.values.emplace_back(key(f, "bits"), 8);
    p.values.emplace_back(key(f, "block"), f.first_dimension);
  }
  p.values.emplace_back("precision.backward_weight", backward_weight);
  p.values.emplace_back("precision.conv_inputs", conv_inputs);
  p.values.emplace_back("precision.rounding", Rounding::stochastic);
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
      throw c.error(errors::keys_contradict, key(f, "bits"),
                    "a word length, but precision.phases names no phase in 8 bit",
                    "add precision.phases, as in [\"search\", \"retrain\"]");
}

void reference_rule(Config& c) {
  if (c.is_null("precision.preset") || c.get<std::string>("precision.preset") != "reference") return;
  if (c.get<DType>("precision.mode") != DType::f32)
    throw c.error(errors::keys_contradict, "precision.mode", "the preset \"reference\" computes in f32",
                  "set precision.mode to f32, or take the preset swalp8");
}

void word_length_rule(Config& c) {
  if (c.at("precision.phases").empty()) return;
  for (const Format& f : formats)
    if (c.is_null(key(f, "bits")))
      throw c.error(errors::missing_key, key(f, "bits"), "missing word length of an 8-bit run",
                    "give it, 2 to 8, or a precision.preset that gives them all");
}

BlockFormat format(const Config& c, const Format& f) {
  const auto names = block_names(f);
  const std::string place = key(f, "block");
  const auto block = std::find(names.begin(), names.end(), c.get<std::string>(place));
  if (block == names.end()) throw c.error(errors::bad_value, place, "no such block");
  return {c.get<int>(key(f, "bits")), static_cast<BlockFormat::Block>(block - names.begin())};
}

}  // namespace

const Table& precision_fields() {
  static const Table table = [] {
    Table t;
    t.fields = general_fields();
    for (const Format& f : formats)
      for (Field& field : format_fields(f)) t.fields.push_back(std::move(field));
    t.presets = {preset("reference", false, BackwardWeight::same, Rounding::stochastic),
                 preset("swalp8", true, BackwardWeight::tensor, Rounding::nearest)};
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
  f.backward_by_tensor =
      f.conv_inputs && c.get<BackwardWeight>("precision.backward_weight") == BackwardWeight::tensor;
  f.integer = c.get<Arithmetic>("precision.arithmetic") == Arithmetic::integer;
  f.rounding = c.get<Rounding>("precision.rounding");
  f.eval_rounding = c.get<Rounding>("precision.eval_rounding");
  f.seed = c.get<uint64_t>("seed");
  p.search = in_phase(c, Phase::search);
  p.retrain = in_phase(c, Phase::retrain);
  return p;
}

}  // namespace eb::quant

// The section `precision`: presets, phases, and formats that cannot be.
#include "quant/fields.h"

#include <gtest/gtest.h>

#include "support/paths.h"
#include "tools/experiment/experiment_fields.h"

namespace eb::test {
namespace {

using namespace engine;
using Block = BlockFormat::Block;
using Sets = std::vector<std::string>;
constexpr Phase all_phases[] = {Phase::dense, Phase::search, Phase::retrain};

Config load(const Sets& sets) {
  return load_config(tools::experiment_fields(), {test::source_dir().string() + "/models/quickstart.json"},
                     sets);
}

PhasePrecision precision(const Sets& sets) {
  return quant::phase_precision(load(sets));
}

std::string refusal(const Sets& sets) {
  try {
    load(sets);
  } catch (const Error& e) {
    return std::to_string(e.code()) + " " + e.what();
  }
  return "";
}

TEST(PrecisionFields, full_precision_unless_asked) {
  const PhasePrecision p = precision({});
  for (const Phase phase : all_phases) EXPECT_FALSE(p.in(phase).quantized) << name_of(phase);
}

TEST(PrecisionFields, presets) {
  for (const std::string name : {"reference", "swalp8"}) {
    const PhasePrecision p = precision({"precision.preset=" + name, "seed=9"});
    for (const Phase phase : all_phases) EXPECT_TRUE(p.in(phase).quantized) << name_of(phase);
    const Precision f = p.in(Phase::search);
    for (const BlockFormat& b : {f.weight, f.activation, f.error, f.gradient, f.momentum})
      EXPECT_EQ(b.bits, 8);
    EXPECT_EQ(f.weight.block, Block::dim0);
    EXPECT_EQ(f.backward_by_tensor, name == "swalp8");
    EXPECT_EQ(f.conv_inputs, name == "swalp8");
    EXPECT_EQ(f.rounding, Quantize::Rounding::stochastic);
    EXPECT_EQ(f.eval_rounding == Quantize::Rounding::stochastic, name == "reference");
    EXPECT_EQ(f.seed, 9u);
  }
  const Precision reference = precision({"precision.preset=reference"}).format;
  for (const BlockFormat& b :
       {reference.weight, reference.activation, reference.error, reference.gradient, reference.momentum})
    EXPECT_EQ(b.block, Block::dim0);
}

TEST(PrecisionFields, the_variants_of_the_paper) {
  const auto file = [](const std::string& name) {
    return quant::phase_precision(
        load_config(tools::experiment_fields(), {test::source_dir().string() + "/models/" + name + ".json"}));
  };
  for (const std::string model : {"vgg16", "preresnet101"}) {
    const PhasePrecision ff = file(model), ll = file(model + "_ll"), lf = file(model + "_lf"),
                         fl = file(model + "_fl");
    EXPECT_FALSE(ff.search || ff.retrain);
    EXPECT_TRUE(ll.search && ll.retrain);
    EXPECT_TRUE(lf.search && !lf.retrain);
    EXPECT_TRUE(!fl.search && fl.retrain);
  }
}

TEST(PrecisionFields, own_values_win_over_the_preset) {
  const Precision f = precision({"precision.preset=swalp8", "precision.weight.bits=6",
                                 "precision.error.block=element", "precision.arithmetic=exact"})
                          .format;
  EXPECT_EQ(f.weight.bits, 6);
  EXPECT_EQ(f.error.block, Block::element);
  EXPECT_FALSE(f.integer);
}

TEST(PrecisionFields, what_cannot_be_is_refused_by_name) {
  struct Case {
    Sets sets;
    std::string want;
  };
  const std::string preset = "precision.preset=swalp8";
  for (const Case& c :
       {Case{{preset, "precision.weight.bits=0"}, "precision.weight.bits"},
        Case{{preset, "precision.momentum.bits=9"}, "precision.momentum.bits"},
        Case{{preset, "precision.gradient.bits=null"}, "missing word length"},
        Case{{"precision.phases=[\"search\"]"}, "missing word length"},
        Case{{"precision.weight.bits=8"}, "names no phase in 8 bit"},
        Case{{preset, "precision.phases=[]"}, "names no phase in 8 bit"},
        Case{{preset, "precision.phases=[\"compact\"]"}, "precision.phases"},
        Case{{preset, "precision.activation.block=channel"}, "not supported yet"},
        Case{{preset, "precision.weight.block=sample"}, "precision.weight.block"},
        Case{{"precision.preset=swalp"}, "precision.preset"},
        Case{{"precision.preset=reference", "precision.mode=bf16"}, "computes in f32"},
        Case{{preset, "precision.phases=[\"retrain\"]", "early_bird.enabled=false"}, "early_bird.enabled"}})
    EXPECT_NE(refusal(c.sets).find(c.want), std::string::npos) << c.want << ": " << refusal(c.sets);
}

}  // namespace
}  // namespace eb::test

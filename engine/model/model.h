// A graph with its numbers. All trainable values lie in one contiguous fp32 arena, gradients in a second,
// momentum in a third, and for bf16 compute the working copy in a fourth: one kernel updates the model, one
// write saves it.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/bfp/precision.h"
#include "engine/graph/graph.h"
#include "engine/graph/parameter.h"
#include "engine/tensor/tensor.h"

namespace eb::engine {

struct RunningStats {
  Tensor mean, var;  // (C) f32, on the model's device
};

enum class Mode : uint8_t { train, infer };

class ConvChoice;   // engine/ops/conv_choice.h
struct BlockModel;  // what 8 bit adds (engine/bfp/block_arena.h)
class Plan;         // the fused steps and the leaves of the tape
struct RunOptions;  // engine/model/plan.h

class Model {
 public:
  // Arenas are zero, running stats 0 and 1. compute is f32 or bf16. Throws Error 21xx for a bad graph.
  Model(Graph graph, DType compute, Device device = Device::cpu);
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  // x (N, H, W, C) in the compute dtype -> logits (N, classes) in f32. Mode::train records the tape (unless
  // NoGrad) and updates running statistics; backward() then overwrites the whole gradient arena. Mode::infer
  // records nothing. The model must outlive the tape.
  Tensor forward(const Tensor& x, Mode mode);
  // As in training, without tape; what it leaves is running += momentum * (of this batch - running).
  void forward_statistics(const Tensor& x, float momentum);
  // Samples `first` and on of a batch of `total`, as Mode::train (under NoGrad: without tape), but running
  // statistics stay as they are: the tail, zero before, becomes this part's share of the batch's, in the
  // layout of statistics().
  Tensor forward_part(const Tensor& x, int64_t first, int64_t total);

  const Graph& graph() const { return graph_; }
  DType compute() const { return compute_; }
  Device device() const { return device_; }
  // How it runs, which the networks of a run share.
  bool deterministic = false;        // passed on to the kernels
  std::shared_ptr<ConvChoice> conv;  // which convolutions; null: ours
  void run_like(const Model& other) { deterministic = other.deterministic, conv = other.conv; }

  const std::vector<Parameter>& parameters() const { return parameters_; }
  const Parameter* find(int node, Parameter::Kind kind) const;  // null if the node has none
  int64_t parameter_count() const;                              // without gaps
  const Tensor& values() const { return values_; }              // (arena) f32 master weights
  const Tensor& gradients() const { return gradients_; }
  const Tensor& momentum() const { return momentum_; }
  const Tensor& working() const { return working_; }  // bf16 copy, undefined for f32 compute
  Arenas arenas() const {
    return {device_, compute_, graph_.nodes.size(), parameters_, values_, gradients_, momentum_};
  }
  // Into the arenas, on the model's device.
  float* value(const Parameter& p) const { return values_.data<float>() + p.offset; }
  float* gradient(const Parameter& p) const { return gradients_.data<float>() + p.offset; }
  float* velocity(const Parameter& p) const { return momentum_.data<float>() + p.offset; }
  std::vector<float> host_value(const Parameter& p) const;  // a copy, from wherever the arena lies
  const RunningStats& running(int bn_node) const { return running_.at(bn_node); }
  // All running statistics in one arena: mean (C) and variance (C) of each batch norm in the order of nodes,
  // each at a multiple of 16 floats.
  const Tensor& statistics() const { return statistics_; }
  // (statistics) f32: the momentum of each, 0 for a channel that its batch norm does not compute.
  Tensor statistics_momentum() const;

  // Parts of a batch are added up with the gradients: behind them, in one memory, come `floats` floats more
  // (at least statistics().size()) which nothing here but forward_part writes. Gradients and tail become
  // zero.
  void set_tail(int64_t floats);
  const Tensor& tail() const { return tail_; }
  Tensor gradients_and_tail() const;

  void zero_grad();
  // Call after changing values() by any means: refreshes the bf16 copy and the codes, and marks packed
  // weights stale. The optimizer, which writes the copies itself, passes false.
  void values_changed(bool refresh_copies = true);
  // In which formats the next passes store tensors; codes of the values are made at once.
  void set_precision(const Precision& precision);
  const BlockModel* blocks() const { return blocks_.get(); }  // null in full precision
  // Names the random numbers of the evaluation batches that follow, where activations are rounded at random.
  void set_evaluation(uint64_t seed) { evaluation_ = seed; }
  // Number of the training step, on the model's device (u32; null: 0): names the random numbers of rounding.
  void set_step(const uint32_t* step) { step_ = step; }
  const uint32_t* step() const { return step_; }
  // Off: one op per node, to compare with.
  void set_fused(bool fused);

 private:
  void build_plan();
  void check_input(const Tensor& x) const;
  Tensor run(const Tensor& x, RunOptions options);
  void forget_gradients();
  void make_statistics();
  Graph graph_;
  DType compute_;
  Device device_;
  std::vector<Parameter> parameters_;
  Tensor values_, gradients_, momentum_, working_, tail_, statistics_;
  std::map<int, RunningStats> running_;  // views of statistics_
  std::unique_ptr<Plan> plan_;
  std::unique_ptr<BlockModel> blocks_;
  const uint32_t* step_ = nullptr;
  uint64_t evaluation_ = 0;
  bool fused_ = true;
};

// Initialisers of docs/method.md 4.3, from Philox (Stream::init, hi = parameter index, lo = element / 4).
struct InitConfig {
  float bn_gamma = 0.5f;
  enum class Linear : uint8_t {
    normal_001,
    uniform_fan_in
  } linear = Linear::normal_001;  // N(0, 0.01) | U(+-1/sqrt(fan_in))
};
constexpr auto enum_names(InitConfig::Linear) {
  return names("normal_001", "uniform_fan_in");
}
// Running statistics go back to 0 and 1, momentum to 0.
void initialize(Model& model, const InitConfig& init, uint64_t seed);

// Every state_dict entry in the reference's names and PyTorch's layout (OIHW, linear (out, C*H*W)), fp32,
// plus BN statistics and select.indexes (0/1 vectors). num_batches_tracked, an i64 that neither momentum 0.1
// nor evaluation reads, is left out: load into PyTorch with strict=False.
std::map<std::string, Tensor> state_dict(const Model& model);
// Strict: missing, unexpected or misshapen tensors are Error 4010..4012, each named, before anything is
// written.
void load_state_dict(Model& model, const std::map<std::string, Tensor>& tensors);
// Momentum by the same names and layout.
std::map<std::string, Tensor> momentum_dict(const Model& model);
void load_momentum_dict(Model& model, const std::map<std::string, Tensor>& tensors);

}  // namespace eb::engine

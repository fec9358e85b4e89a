// From a resolved config to the things a command needs.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/data_config.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/config/config.h"
#include "engine/ops/conv_choice.h"
#include "engine/train/model_config.h"

namespace eb::tools {

// Flags that every command with a config shares; each wins over the files and --set.
struct CommonFlags {
  std::vector<std::filesystem::path> files;
  std::vector<std::string> sets;
  std::optional<uint64_t> seed;
  std::optional<std::string> dtype, conv;
  std::string device = "cpu";
  int threads = 0;  // 0: all cores this process may use
};

engine::Config load_experiment(const CommonFlags& flags);
engine::DType compute_of(const engine::Config& config);
// Device check and thread count; Error 5001 for a device this build has not.
engine::Device set_up_device(const std::string& device, int threads);
// For the networks of a run (Model::conv); Error 5003 for "cudnn" where there is none.
std::shared_ptr<engine::ConvChoice> make_conv_choice(engine::ConvChoice::Mode mode, engine::Device device);
// As cuda.conv says.
std::shared_ptr<engine::ConvChoice> conv_choice_of(const engine::Config& config, engine::Device device);
// The memory that cuda.memory_mib leaves a run.
void set_up_memory(const engine::Config& config, engine::Device device);

// A model with the weights of a checkpoint, and the config it was trained with.
struct LoadedModel {
  engine::Model model;
  engine::Config config;
  engine::Checkpoint checkpoint;
  std::filesystem::path path;
};
LoadedModel load_model(const std::filesystem::path& checkpoint_or_run, const std::string& dtype = "",
                       engine::Device device = engine::Device::cpu);

}  // namespace eb::tools

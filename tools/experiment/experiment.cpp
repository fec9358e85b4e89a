#include "tools/experiment/experiment.h"

#include <sched.h>
#include <unistd.h>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/tensor/allocator.h"
#include "engine/tensor/dtype_names.h"
#include "kernels/cpu/threads.h"
#include "kernels/device_info.h"
#include "tools/experiment/experiment_fields.h"
#include "tools/experiment/model_files.h"

namespace eb::tools {

using namespace engine;

Config load_experiment(const CommonFlags& f) {
  Config config = load_config(experiment_fields(), experiment_files(f.files), f.sets);
  if (f.seed) config.set("seed", *f.seed);
  if (f.dtype) config.set("precision.mode", *f.dtype);
  if (f.conv) config.set("cuda.conv", *f.conv);
  return config;
}

DType compute_of(const Config& config) {
  return config.get<DType>("precision.mode");
}

static Device set_up_cuda() {
  const kernels::DeviceInfo info = kernels::cuda_info();
  if (!kernels::built::cuda)
    throw Error(errors::device_not_built, "device \"cuda\" is not in this build, which has: cpu",
                info.problem + "; or use --device cpu");
  if (!info.problem.empty())
    throw Error(errors::device_unusable, "device \"cuda\" cannot be used", info.problem);
  return Device::cuda;
}

Device set_up_device(const std::string& device, int threads) {
  if (device != "cpu" && device != "cuda")
    throw Error(errors::device_not_built, fmt::format("device \"{}\" is not known", device),
                "use --device cpu or --device cuda");
  cpu_set_t set;
  if (threads > 0)
    kernels::cpu::set_threads(threads);
  else if (sched_getaffinity(0, sizeof set, &set) == 0)
    kernels::cpu::set_threads(CPU_COUNT(&set));
  return device == "cuda" ? set_up_cuda() : Device::cpu;
}

std::shared_ptr<ConvChoice> make_conv_choice(ConvChoice::Mode mode, Device device) {
  auto choice = std::make_shared<ConvChoice>();
  choice->set_mode(mode, device);
  choice->tell([](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); });
  return choice;
}

std::shared_ptr<ConvChoice> conv_choice_of(const Config& config, Device device) {
  return make_conv_choice(config.get<ConvChoice::Mode>("cuda.conv"), device);
}

void set_up_memory(const Config& config, Device device) {
  const bool limited = !config.is_null("cuda.memory_mib");
  if (device != Device::cpu)
    set_allocator_budget(limited ? config.get<size_t>("cuda.memory_mib") << 20 : 0, device);
}

LoadedModel load_model(const std::filesystem::path& given, const std::string& dtype, Device device) {
  std::string warning;
  const auto path = resolve_checkpoint(given, &warning);
  if (!warning.empty()) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  Checkpoint checkpoint = load_checkpoint(path);
  Config config = config_from_json(experiment_fields(), checkpoint.config(), path.string());
  if (!dtype.empty()) config.set("precision.mode", dtype);
  Model model(graph_from_json(checkpoint.graph()), compute_of(config), device);
  load_state_dict(model, checkpoint.model);
  return {std::move(model), std::move(config), std::move(checkpoint), path};
}

}  // namespace eb::tools

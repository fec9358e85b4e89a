#include "tools/cli/common_flags.h"

#include "engine/ops/conv_choice.h"
#include "engine/tensor/dtype_names.h"

namespace eb::tools {

std::vector<Flag> with_common_flags(CommonFlags& f, std::vector<Flag> own) {
  std::vector<Flag> all = {
      Flag{"CONFIG", &f.files, "JSON files or names of models/, merged left to right"}.must_be_given(),
      Flag{"--set", &f.sets, "Override one key: --set train.batch_size=64"},
      Flag{"--seed", &f.seed, "Instead of the config's seed"},
      Flag{"--dtype", &f.dtype, "f32 or bf16: precision.mode"}.one_of(engine::compute_names),
      Flag{"--device", &f.device, "cpu or cuda"},
      Flag{"--conv", &f.conv, "ours, cudnn or auto (the faster per shape): cuda.conv"}.one_of(
          engine::names_of<engine::ConvChoice::Mode>()),
      Flag{"--threads", &f.threads, "CPU threads (default: all)"}.positive(),
  };
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

}  // namespace eb::tools

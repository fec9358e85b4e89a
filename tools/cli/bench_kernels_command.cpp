// `eb_engine bench kernels`: its flags; what it does is in tools/bench.
#include <fmt/format.h>

#include <memory>
#include <regex>

#include "engine/tensor/dtype_names.h"
#include "tools/bench/bench_kernels.h"
#include "tools/cli/commands.h"

namespace eb::tools {

static std::string is_regex(const std::string& text) {
  try {
    const std::regex valid(text);
    return "";
  } catch (const std::regex_error& e) {
    return fmt::format("\"{}\" is no regular expression: {}", text, e.what());
  }
}

Command bench_kernels_command() {
  const auto f = std::make_shared<KernelBench>();
  return {
      .name = "kernels",
      .doc = "Time every kernel at the shapes of the four networks",
      .flags =
          {Flag{"--device", &f->device, "cpu or cuda"},
           Flag{"--threads", &f->threads, "CPU threads (default: all)"}.positive(),
           Flag{"--dtype", &f->dtype, "f32 or bf16"}.one_of(engine::compute_names),
           Flag{"--filter", &f->filter, "Only cases whose \"FAMILY NAME\" matches this regular expression"}
               .checked_by(is_regex),
           Flag{"--batch-cifar", &f->cases.batch_cifar, "Images of VGG16 and PreResNet101"}.positive(),
           Flag{"--batch-imagenet", &f->cases.batch_imagenet, "Images of ResNet-18 and ResNet-50"}.positive(),
           Flag{"--seconds", &f->seconds, "Length of a timed group"}.range(1e-4, 10.0),
           Flag{"--ceilings", &f->ceilings,
                "\"COPY_GB_S,TFLOPS\" of an earlier call, or \"none\" (default: measured first)"}
               .checked_by(problem_of_ceilings),
           Flag{"--cpu-time", &f->cpu_time, "CPU seconds, with --threads 1 on a machine that others use too"},
           Flag{"--list", &f->list, "Name the cases and time none"},
           Flag{"--skip", &f->skip, "Leave out the first so many of the cases that match"}.not_negative(),
           Flag{"--json", &f->json, "One JSON object"},
           Flag{"--json-lines", &f->json_lines, "A JSON object a line, each as soon as it is known"}},
      .run = [f] { return bench_kernels(*f); },
  };
}

}  // namespace eb::tools

// `eb_engine eval`: accuracy of a checkpoint on a test set, exact (counts samples), with optional logits.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "data/loader.h"
#include "engine/base/error_codes.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/run/conv_choices.h"
#include "engine/tensor/dtype_names.h"
#include "engine/train/evaluate.h"
#include "quant/fields.h"
#include "tools/cli/commands.h"
#include "tools/cli/common_flags.h"
#include "tools/cli/eval_dump.h"
#include "tools/experiment/experiment.h"

namespace eb::tools {

using namespace engine;

struct EvalFlags {
  std::string checkpoint, kind, root, split = "test", logits, dump, dtype, conv, device = "cpu";
  int64_t batch = 0, limit = 0;
  int threads = 0;
  bool json = false, full_precision = false;
};

// As the checkpoint was trained, unless --conv says otherwise. A device that cuDNN does not serve evaluates
// every checkpoint with our kernels.
static void choose_convolutions(const EvalFlags& f, LoadedModel& loaded, Device device) {
  using Mode = ConvChoice::Mode;
  const auto trained = device == Device::cuda ? loaded.config.get<Mode>("cuda.conv") : Mode::ours;
  const Mode mode = f.conv.empty() ? trained : named<Mode>(f.conv, "--conv", errors::bad_value);
  loaded.model.conv = make_conv_choice(mode, device);
  loaded.model.conv->load(stored_conv_choices(loaded.checkpoint), device);
}

// As in the phase of the run that the checkpoint belongs to. What no run trained as it is, is in full
// precision: an average of weights, a network that `compact` or `import` wrote, an exported one.
static Precision precision_of(const LoadedModel& loaded) {
  const std::string phase = loaded.checkpoint.state.value("phase", "");
  for (const char* untrained : {"", "swa", "compact", "import"})
    if (phase == untrained) return {};
  return quant::phase_precision(loaded.config)
      .in(named<Phase>(phase, "the checkpoint's phase", errors::checkpoint_content));
}

static int evaluate_checkpoint(const EvalFlags& f) {
  const Device device = set_up_device(f.device, f.threads);
  LoadedModel loaded = load_model(f.checkpoint, f.dtype, device);
  choose_convolutions(f, loaded, device);
  if (!f.full_precision) loaded.model.set_precision(precision_of(loaded));
  if (!f.kind.empty()) loaded.config.set("data.kind", f.kind);
  if (!f.root.empty()) loaded.config.set("data.root", f.root);
  const int64_t batch = f.batch ? f.batch : loaded.config.get<int64_t>("train.eval_batch_size");
  auto source = data::make_test_loader(data::data_config(loaded.config), batch, loaded.model.graph(),
                                       loaded.model.compute(), {}, device, f.limit);
  EvalDump dump(!f.logits.empty() || !f.dump.empty(), !f.dump.empty());
  const Evaluation e =
      evaluate(loaded.model, *source, dump.keeper(), {loaded.checkpoint.state.value("step", int64_t{0})});
  if (!f.logits.empty()) dump.write_logits(f.logits);
  if (!f.dump.empty()) dump.write(f.dump);
  nlohmann::json left_out = nlohmann::json::array();  // data.on_bad_sample "skip"
  for (const std::string& bad : source->bad_samples()) left_out.push_back(utf8(bad));
  const nlohmann::json result = {{"top1", e.top1_accuracy()},
                                 {"top5", e.top5_accuracy()},
                                 {"correct", e.top1},
                                 {"total", e.total},
                                 {"loss", e.loss},
                                 {"left_out", left_out},
                                 {"checkpoint", loaded.path.string()}};
  if (!f.json)
    for (const std::string& bad : source->bad_samples())
      std::cerr << "left out, cannot be read: " << bad << "\n";
  if (f.json)
    std::cout << dump_json(result, 2) << "\n";
  else
    std::cout << printable_path(loaded.path) << ": top-1 " << e.top1_accuracy() * 100 << " % (" << e.top1
              << " of " << e.total << "), top-5 " << e.top5_accuracy() * 100 << " %, loss " << e.loss << "\n";
  return 0;
}

Command eval_command() {
  const auto f = std::make_shared<EvalFlags>();
  return {
      .name = "eval",
      .doc = "Accuracy of a checkpoint on the test set",
      .flags =
          {Flag{"CKPT", &f->checkpoint, checkpoint_doc}.must_be_given(),
           Flag{"--data-kind", &f->kind, "Instead of the config's data.kind"},
           Flag{"--data-root", &f->root, "Instead of the config's data.root"},
           Flag{"--batch", &f->batch, "Images per forward pass"}.positive(),
           Flag{"--logits", &f->logits,
                "Write the logits here, safetensors tensor \"logits\", in data-set order"},
           Flag{"--dump", &f->dump,
                "Write what the network was given and what it said: safetensors tensors \"images\" (N, C, H, "
                "W; normalised), \"labels\" and \"logits\""},
           Flag{"--limit", &f->limit, "Only so many images, of every class its share"}.positive(),
           Flag{"--dtype", &f->dtype, "f32 or bf16"}.one_of(compute_names),
           Flag{"--device", &f->device, "cpu or cuda"},
           Flag{"--conv", &f->conv, "ours, cudnn or auto, instead of the config's cuda.conv"}.one_of(
               names_of<ConvChoice::Mode>()),
           Flag{"--threads", &f->threads, "CPU threads (default: all)"}.positive(),
           Flag{"--full-precision", &f->full_precision, "Without the 8-bit formats of an 8-bit run"},
           Flag{"--json", &f->json, "One JSON object"}},
      .run = [f] { return evaluate_checkpoint(*f); },
  };
}

}  // namespace eb::tools

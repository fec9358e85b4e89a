#include "engine/train/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "engine/base/duration.h"
#include "engine/base/error_codes.h"
#include "engine/graph/arch/arch.h"
#include "engine/ops/conv_choice.h"
#include "engine/tensor/dtype_names.h"
#include "engine/train/model_config.h"
#include "engine/train/train_config.h"

namespace eb::engine {

using nlohmann::json;
using Type = Field::Type;

static std::vector<Field> general_fields() {
  return {
      Field{"eb_config", Type::integer, 1, "Version of this format."}.range(1, 1),
      Field{"name", Type::string, "experiment",
            "Name of the run; letters, digits, \".\", \"_\" and \"-\". Without --out the run directory is "
            "runs/NAME/..."},
      Field{"seed", Type::integer, 1,
            "Seed of everything random: weights, order of the samples, augmentation."}
          .at_least(0),
  };
}

static std::vector<Field> model_fields() {
  return {
      Field{"model.arch", Type::string, nullptr,
            "Architecture; null when model.graph gives an explicit graph."}
          .one_of(arch_names())
          .or_null(),
      Field{
          "model.depth", Type::integer, nullptr,
          "Layers: vgg 11, 13, 16, 19; preresnet 9n + 2 (20, 29, ... 101, 164); resnet 18, 34, 50, 101, 152."}
          .range(1, 10'000)
          .or_null(),
      Field{"model.width", Type::number, 1.0, "Factor on the number of channels of every layer."}.range(0.01,
                                                                                                        16),
      Field{
          "model.batch_norm", Type::boolean, true,
          "Batch normalisation after (preresnet: before) every convolution; its scales are what a ticket is "
          "drawn from."}
          .fixed(true),
      Field{"model.input",
            Type::list_of_integers,
            {3, 32, 32},
            "Channels, height and width of one image; with model.graph those of its input."}
          .range(1, 65'536)
          .of_length(3),
      Field{"model.num_classes", Type::integer, 10,
            "Outputs of the classifier; with model.graph those of its output."}
          .range(2, 65'536),
      Field{"model.downsample_bias", Type::boolean, false,
            "resnet: bias on the convolutions of the downsample branches, as in the paper's ResNet-50."},
      Field{"model.init.conv", Type::string, "kaiming_fan_out",
            "Initial convolution weights: N(0, sqrt(2 / (kh kw C_out)))."}
          .one_of({"kaiming_fan_out"}),
      Field{"model.init.bn_gamma", Type::number, 0.5, "Initial scale of every batch norm."}.between(0, 10),
      Field{"model.init.linear", Type::string, InitConfig::Linear::normal_001,
            "Initial classifier weights: N(0, 0.01), or U(-1/sqrt(fan_in), 1/sqrt(fan_in))."}
          .one_of(names_of<InitConfig::Linear>()),
      Field{"model.init.from", Type::path, nullptr,
            "Checkpoint, run directory or export whose network a new run starts from, its graph and its "
            "weights; as train --init-from. Null: random weights."}
          .or_null(),
      Field{"model.init.replace_classifier", Type::boolean, false,
            "The last layer of model.init.from is replaced by a new one with model.num_classes outputs; as "
            "train --replace-classifier."},
      Field{"model.init.graph", Type::object, nullptr,
            "Written by train, not by you: the graph of a pruned model.init.from."}
          .or_null(),
      Field{
          "model.graph", Type::object, nullptr,
          "Explicit graph instead of model.arch: {\"input\": {\"id\", \"shape\"}, \"output\": ID, \"nodes\": "
          "[{\"id\", \"op\", \"in\", ...}]}. docs/own_network.md has every op and key."}
          .or_null(),
  };
}

static std::vector<Field> train_fields() {
  return {
      Field{"train.duration", Type::duration, "160ep",
            "Length of the whole run, search included: epochs (\"160ep\") or optimizer steps (\"2000st\")."},
      Field{"train.batch_size", Type::integer, 256, "Images per optimizer step, over all devices together."}
          .range(1, 1'048'576),
      Field{"train.eval_batch_size", Type::integer, 256,
            "Images per evaluation batch; changes speed and memory, and the result only of 8-bit runs whose "
            "batches "
            "share exponents or random numbers (precision.activation.block, precision.eval_rounding)."}
          .range(1, 1'048'576),
      Field{"train.accumulate", Type::integer, 1,
            "Parts that each rank computes its share of a batch in, one after the other, where "
            "distributed.shards is null; each has batch norm statistics of its own."}
          .range(1, 1024),
      Field{"train.optimizer.kind", Type::string, "sgd", "Optimizer."}.one_of({"sgd"}).not_yet(
          {"adam", "adamw", "lars"}),
      Field{"train.optimizer.lr", Type::number, 0.1, "Learning rate before the schedule."}.between(0, 1000),
      Field{"train.optimizer.momentum", Type::number, 0.9, "Momentum; v = momentum v + g, w = w - lr v."}
          .range(0, 0.9999),
      Field{"train.optimizer.nesterov", Type::boolean, false, "Nesterov's form of momentum."},
      Field{"train.optimizer.weight_decay", Type::number, 1e-4, "Factor of w added to its gradient."}.range(
          0, 1),
      Field{"train.optimizer.decay_bn", Type::boolean, true,
            "Weight decay also on batch norm parameters and biases, as the reference does."},
      Field{"train.schedule.kind", Type::string, Schedule::Kind::multistep,
            "Learning rate over time: multiplied by gamma at each of `at`, a half cosine down to 0, or "
            "constant."}
          .one_of(names_of<Schedule::Kind>()),
      Field{"train.schedule.at",
            Type::list_of_durations,
            {"80ep", "120ep"},
            "multistep: ascending times of the drops, counted from the start of the run."},
      Field{"train.schedule.gamma", Type::number, 0.1, "multistep: factor of each drop."}.between(0, 1),
      Field{"train.schedule.warmup", Type::duration, "0ep",
            "Linear rise of the learning rate from 0 at the start."},
      Field{"train.label_smoothing", Type::number, 0.0, "Share of the target spread evenly over all classes."}
          .range(0, 0.99),
      Field{"train.clip_norm", Type::number, nullptr,
            "Largest 2-norm of the whole gradient; null does not clip."}
          .between(0, 1e9)
          .or_null(),
      Field{"train.ema", Type::number, nullptr, "Moving average of the weights."}.or_null().fixed(nullptr),
  };
}

static std::vector<Field> distributed_fields() {
  return {
      Field{"distributed.shards", Type::integer, nullptr,
            "Parts that every batch is cut into, each with batch norm statistics of its own. A run has the "
            "same "
            "bits on 1, 2, 4, ... ranks if this is the same. Null: ranks times train.accumulate when the run "
            "begins."}
          .range(1, 65'536)
          .or_null(),
      Field{"distributed.reduce", Type::string, "ordered",
            "How gradients are added up over ranks: ordered, by our kernels in a fixed order."}
          .one_of({"ordered"})
          .not_yet({"nccl"}),
      Field{"distributed.bucket_mib", Type::integer, 16, "Gradients exchanged at a time, in MiB."}.range(
          1, 4096),
      Field{"distributed.sync_bn", Type::boolean, false,
            "Batch norm statistics over all ranks instead of over a shard."}
          .fixed(false),
      Field{
          "distributed.check", Type::string, CheckRanks::epoch,
          "When ranks compare hashes of what they must have in common: after each epoch, after each step, or "
          "only at a draw, a checkpoint and a resumption."}
          .one_of(names_of<CheckRanks>()),
      Field{"distributed.agree_every", Type::integer, 10,
            "Steps between what ranks tell each other of stop signals and the clock."}
          .range(1, 1'000'000),
      Field{
          "distributed.timeout_s", Type::number, 60,
          "Seconds without progress of a rank after which the run ends and names it; ten times as many while "
          "data is opened, evaluated, saved or compacted."}
          .range(1, 86'400),
  };
}

static std::vector<Field> run_fields() {
  return {
      Field{
          "precision.mode", Type::string, DType::f32,
          "Arithmetic of the layers: f32, or bf16 with f32 master weights, sums and statistics. 8-bit "
          "training "
          "(precision.preset) stores tensors as int8 and computes what it does not multiply as int8 in this."}
          .one_of(compute_names)
          .not_yet({"tf32", "fp16", "f16"})
          .same_as({{"fp32", "f32"}}),
      Field{"cuda.conv", Type::string, ConvChoice::Mode::ours,
            "Convolutions on a card: our kernels, cuDNN's, or for each shape whichever is faster when it is "
            "first met, kept in the checkpoint; auto means ours on other devices."}
          .one_of(names_of<ConvChoice::Mode>()),
      Field{
          "cuda.memory_mib", Type::integer, nullptr,
          "Most memory of a card that a run's tensors and its kernels' temporary memory may take, in use and "
          "kept for reuse, in MiB; null: what the card has. What CUDA takes itself comes on top: its "
          "context, "
          "code, recorded steps, what cuDNN keeps."}
          .range(1, 1 << 30)
          .or_null(),
      Field{"cuda.pad_channels", Type::boolean, true,
            "On a card a ticket whose channel counts nothing rounds (early_bird.round_to 1) is stored with "
            "counts "
            "in eights: the ticket is as drawn, the channels besides are zero and stay zero, and the kernels "
            "copy 16 bytes at a time."},
      Field{"checkpoint.every", Type::duration, "5ep",
            "Time between checkpoints; \"0ep\" saves at the end only."},
      Field{"checkpoint.every_minutes", Type::number, 30,
            "Minutes after which a checkpoint is due in any case; null never."}
          .between(0, 1e6)
          .or_null(),
      Field{"checkpoint.keep_last", Type::integer, 3, "Newest checkpoints that are kept."}.range(1,
                                                                                                 1'000'000),
      Field{"checkpoint.keep_best", Type::integer, 1, "Best checkpoints that are kept besides."}.range(
          0, 1'000'000),
      Field{"checkpoint.keep_dense", Type::boolean, true,
            "The network that the ticket was drawn from is kept, as a checkpoint in RUN/dense: what draw and "
            "compact take of a run that goes on with its ticket."},
      Field{"checkpoint.milestones", Type::duration, nullptr,
            "Checkpoints at every multiple of this are kept for good; null keeps none."}
          .or_null(),
      Field{"guard.on_nonfinite", Type::string, "stop",
            "When loss or gradient is NaN or infinite: stop before the update is applied, exit 7."}
          .one_of({"stop"})
          .not_yet({"skip_batch", "rollback"}),
      Field{"guard.loss_spike_z", Type::number, nullptr, "Guard against sudden rises of the loss."}
          .or_null()
          .fixed(nullptr),
      Field{"log.every", Type::integer, 50,
            "Optimizer steps between two lines of metrics.jsonl within an epoch."}
          .range(1, 1'000'000'000),
      Field{"log.energy", Type::string, LogEnergy::automatic,
            "Energy of the CPU by RAPL, and of the card of a run on one by NVML: auto measures what can be "
            "read, off never."}
          .one_of(names_of<LogEnergy>()),
      Field{"log.report", Type::string, LogReport::at_end,
            "report/report.html and report.json in the run directory: end writes them when the run ends or "
            "stops, off never."}
          .one_of(names_of<LogReport>()),
      Field{"log.tensorboard", Type::boolean, true,
            "Event files for TensorBoard in the run's folder tb: the numbers of metrics.jsonl and the "
            "mask-distance heat maps."},
      Field{"log.tensorboard_histograms", Type::boolean, false,
            "Also the scales of every batch norm after each epoch, as histograms."},
  };
}

// A name becomes a folder: no separators, no leading dot, no surprises in a shell.
static void name_rule(Config& c) {
  const auto name = c.get<std::string>("name");
  const auto plain = [](unsigned char ch) {
    return (ch < 128 && std::isalnum(ch)) || ch == '.' || ch == '_' || ch == '-';
  };
  if (name.empty() || name.size() > 100 || name[0] == '.' || !std::all_of(name.begin(), name.end(), plain))
    throw c.error(errors::bad_value, "name", "not usable as the name of a folder",
                  "use up to 100 letters, digits, \".\", \"_\" and \"-\"");
}

// Builds the graph once: a network that cannot be is refused with the line that asked for it.
static void model_rule(Config& c) {
  const bool preset = !c.is_null("model.arch"), graph = !c.is_null("model.graph");
  if (!preset && !graph)
    throw c.error(errors::missing_key, "model.arch", "missing required key",
                  "give model.arch and model.depth, or an explicit model.graph");
  if (preset && graph)
    throw c.error(errors::keys_contradict, "model.graph",
                  "an explicit graph and model.arch exclude each other", "remove one of the two");
  if (preset && c.is_null("model.depth"))
    throw c.error(errors::missing_key, "model.depth", "missing required key", "add it, as in \"depth\": 16");
  try {
    graph_of(c);
  } catch (const Error& e) {
    throw Error(e.code(), e.message(), e.hint(),
                c.error(e.code(), preset ? "model.arch" : "model.graph", "").where());
  }
}

// a > b; unknown (false) for epochs against steps, which only the size of the data set relates.
static bool longer(const Duration& a, const Duration& b) {
  return a.unit == b.unit && a.count > b.count;
}

static void schedule_rule(Config& c) {
  const auto duration = parse_duration(c.get<std::string>("train.duration"));
  if (duration.count == 0)
    throw c.error(errors::bad_value, "train.duration", "nothing to train",
                  "give at least \"1ep\" or \"1st\"");
  if (longer(parse_duration(c.get<std::string>("train.schedule.warmup")), duration))
    throw c.error(errors::keys_contradict, "train.schedule.warmup",
                  "longer than train.duration " + to_string(duration), "shorten the warm-up");
  std::optional<Duration> last;
  for (const auto& text : c.get<std::vector<std::string>>("train.schedule.at")) {
    const Duration at = parse_duration(text);
    if (last && (at == *last || longer(*last, at)))
      throw c.error(errors::keys_contradict, "train.schedule.at",
                    fmt::format("{} comes after {}", text, to_string(*last)),
                    "list the drops in ascending order");
    last = at;
  }
  if (c.get<bool>("train.optimizer.nesterov") && c.get<double>("train.optimizer.momentum") == 0)
    throw c.error(errors::keys_contradict, "train.optimizer.nesterov", "needs momentum above 0",
                  "set train.optimizer.momentum, as in 0.9");
  if (const auto& every = c.at("checkpoint.milestones"); !every.is_null() && parse_duration(every).count == 0)
    throw c.error(errors::bad_value, "checkpoint.milestones", "every 0 epochs makes no sense",
                  "use null to keep none for good");
}

const Table& engine_fields() {
  static const Table table = [] {
    Table t;
    for (const auto& part :
         {general_fields(), model_fields(), train_fields(), distributed_fields(), run_fields()})
      t.fields.insert(t.fields.end(), part.begin(), part.end());
    t.rules = {name_rule, model_rule, schedule_rule};
    return t;
  }();
  return table;
}

}  // namespace eb::engine

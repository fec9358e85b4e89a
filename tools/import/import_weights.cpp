#include "tools/import/import_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::tools {

using namespace engine;
using Tensors = std::map<std::string, Tensor>;

namespace {

// At most so many names in one message: a file may hold a million.
constexpr size_t most_names = 1000;

std::string list_of(const std::vector<std::string>& lines) {
  std::string text;
  for (size_t i = 0; i < std::min(most_names, lines.size()); ++i) text += "\n      " + lines[i];
  return lines.size() <= most_names ? text
                                    : fmt::format("{}\n      and {} more", text, lines.size() - most_names);
}

// Numbers of other widths; anything else stays as it is.
Tensor to_f32(const Tensor& t) {
  if (t.dtype() != DType::f64 && t.dtype() != DType::bf16) return t;
  Tensor f = Tensor::empty(t.shape());
  for (int64_t i = 0; i < t.size(); ++i)
    f.data<float>()[i] = t.dtype() == DType::f64 ? static_cast<float>(t.data<double>()[i])
                                                 : static_cast<float>(t.data<bf16>()[i]);
  return f;
}

class Import {
 public:
  Import(const Model& model, Tensors file, const ImportOptions& options)
      : model_(model), options_(options), want_(state_dict(model)), file_(std::move(file)) {}

  ImportedWeights run() {
    for (auto& [name, t] : file_) t = to_f32(t);
    rename();
    drop_counters();
    if (options_.replace_classifier) replace_classifier();
    fold_biases();
    fill_biases();
    compare();
    check_numbers();
    result_.tensors = std::move(file_);
    return std::move(result_);
  }

 private:
  template <class... Args>
  void note(fmt::format_string<Args...> format, Args&&... args) {
    result_.notes.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  void rename() {
    const auto graph_has = [&](const std::string& prefix) {
      const auto at = want_.lower_bound(prefix);
      return at != want_.end() && at->first.starts_with(prefix);
    };
    if (const std::string wrapper = common_wrapper(graph_has); !wrapper.empty()) rename_prefix(wrapper, "");
    if (!graph_has("features.") && graph_has("feature.")) rename_prefix("features.", "feature.");
  }

  // "module._orig_mod." where all names begin so: what DataParallel, torch.compile or a class around the
  // network put in front. It ends before a name that the network itself has.
  template <class GraphHas>
  std::string common_wrapper(const GraphHas& graph_has) const {
    std::string wrapper;
    if (file_.empty()) return wrapper;
    const std::string& first = file_.begin()->first;
    for (size_t dot = first.find('.'); dot != std::string::npos; dot = first.find('.', dot + 1)) {
      const std::string prefix = first.substr(0, dot + 1), part = prefix.substr(wrapper.size());
      const bool common =
          std::ranges::all_of(file_, [&](const auto& t) { return t.first.starts_with(prefix); });
      if (!common || part == "features." || graph_has(part) || graph_has(first.substr(wrapper.size()))) break;
      wrapper = prefix;
    }
    return wrapper;
  }

  void rename_prefix(const std::string& from, const std::string& to) {
    Tensors renamed;
    size_t count = 0;
    for (const auto& [name, t] : file_) {
      const bool begins = name.starts_with(from);
      const std::string own = begins ? to + name.substr(from.size()) : name;
      count += begins;
      if (!renamed.emplace(own, t).second)
        throw Error(errors::import_unexpected, fmt::format("the file has both \"{}\" and \"{}\"", own, name));
      names_[own] = name_in_file(name);
    }
    file_ = std::move(renamed);
    if (count && to.empty())
      note("{} names: \"{}\", which stands before all of them in the file, is dropped", count, from);
    else if (count)
      note("{} names: \"{}\" in the file is \"{}\" here", count, from, to);
  }

  std::string name_in_file(const std::string& name) const {
    const auto at = names_.find(name);
    return at == names_.end() ? name : at->second;
  }

  void drop_counters() {
    const std::string suffix = ".num_batches_tracked";
    const size_t dropped = std::erase_if(file_, [&](const auto& t) {
      if (!t.first.ends_with(suffix)) return false;
      const std::string id = t.first.substr(0, t.first.size() - suffix.size());
      return want_.count(id + ".running_mean") > 0;
    });
    if (dropped) note("{} num_batches_tracked left out: nothing here reads them", dropped);
  }

  // The file's classifier, by the names that torchvision and timm give to theirs.
  void replace_classifier() {
    const Graph& g = model_.graph();
    const Node& last = g.nodes[g.output];
    if (last.op != Op::linear)
      throw Error(errors::import_classifier,
                  fmt::format("--replace-classifier: the output \"{}\" is no linear layer", last.id));
    const size_t dropped = std::erase_if(file_, [&](const auto& t) {
      if (t.first.starts_with(last.id + ".")) return true;
      return !want_.count(t.first) && is_head(t.first);
    });
    for (const char* part : {".weight", ".bias"})
      if (const auto at = want_.find(last.id + part); at != want_.end()) file_[at->first] = at->second;
    note("the classifier \"{}\" keeps its initial weights; {} tensors of the file's left out", last.id,
         dropped);
  }

  static bool is_head(const std::string& name) {
    for (const char* prefix : {"fc.", "classifier.", "head.", "pre_logits."})
      if (name.starts_with(prefix)) return true;
    return false;
  }

  // The batch norm that alone reads this convolution; -1 if there is none.
  std::vector<int> batch_norm_after() const {
    const Graph& g = model_.graph();
    const auto readers = g.consumers();
    std::vector<int> after(g.nodes.size(), -1);
    for (size_t i = 0; i < after.size(); ++i)
      if (g.nodes[i].op == Op::conv && static_cast<int>(i) != g.output && readers[i].size() == 1 &&
          g.nodes[readers[i][0]].op == Op::bn)
        after[i] = readers[i][0];
    return after;
  }

  // (y + b) - mean is y - (mean - b).
  void fold_biases() {
    const Graph& g = model_.graph();
    const std::vector<int> after = batch_norm_after();
    int folded = 0;
    for (size_t i = 0; i < after.size(); ++i) {
      if (after[i] < 0 || g.nodes[i].bias) continue;
      const auto bias = file_.find(g.nodes[i].id + ".bias");
      const auto mean = file_.find(g.nodes[after[i]].id + ".running_mean");
      if (bias == file_.end() || mean == file_.end()) continue;
      if (!is_vector(bias->second, g.nodes[i].c) || !is_vector(mean->second, g.nodes[i].c)) continue;
      mean->second = difference(mean->second, bias->second);
      file_.erase(bias);
      ++folded;
    }
    if (folded)
      note(
          "{} biases of convolutions went into the running means of the batch norms after them: "
          "the outputs are the same",
          folded);
  }

  static bool is_vector(const Tensor& t, int64_t size) {
    return t.dtype() == DType::f32 && t.shape() == Shape{size};
  }

  static Tensor difference(const Tensor& a, const Tensor& b) {
    Tensor d = Tensor::empty(a.shape());
    for (int64_t i = 0; i < a.size(); ++i) d.data<float>()[i] = a.data<float>()[i] - b.data<float>()[i];
    return d;
  }

  void fill_biases() {
    const Graph& g = model_.graph();
    const std::vector<int> after = batch_norm_after();
    std::vector<std::string> absent;
    for (size_t i = 0; i < after.size(); ++i) {
      if (after[i] < 0 || !g.nodes[i].bias) continue;
      if (file_.count(g.nodes[i].id + ".bias")) return;  // a file with biases has them all
      absent.push_back(g.nodes[i].id + ".bias");
    }
    for (const std::string& name : absent) file_[name] = Tensor::zeros(want_.at(name).shape());
    if (!absent.empty())
      note("{} biases of convolutions, which the file's network has not, are zero: {}", absent.size(),
           fmt::join(absent, ", "));
  }

  void compare() {
    std::vector<std::string> missing, unexpected, misshapen, types;
    for (const auto& [name, t] : want_)
      if (!file_.count(name)) missing.push_back(name);
    for (const auto& [name, t] : file_) {
      const auto at = want_.find(name);
      if (at == want_.end())
        unexpected.push_back(name_in_file(name));
      else if (t.shape() != at->second.shape())
        misshapen.push_back(fmt::format("{} is {}, want {}", name_in_file(name), to_string(t.shape()),
                                        to_string(at->second.shape())));
      else if (t.dtype() != DType::f32)
        types.push_back(fmt::format("{} is {}", name_in_file(name), kernels::name_of(t.dtype())));
    }
    refuse(missing, unexpected, misshapen, types);
  }

  void refuse(const std::vector<std::string>& missing, const std::vector<std::string>& unexpected,
              const std::vector<std::string>& misshapen, const std::vector<std::string>& types) const {
    std::string text;
    const auto add = [&](const char* what, const std::vector<std::string>& lines) {
      if (!lines.empty()) text += fmt::format("\n    {} {}:{}", lines.size(), what, list_of(lines));
    };
    add("missing", missing);
    add("unexpected", unexpected);
    add("of another shape", misshapen);
    add("not F32, F64 or BF16", types);
    if (text.empty()) return;
    text = "the weights do not fit the model" + text;
    const std::string classifier = model_.graph().nodes[model_.graph().output].id + ".";
    const auto of_classifier = [&](const std::string& line) {
      return line.starts_with(classifier) || is_head(line);
    };
    const bool only_classifier = types.empty() && std::ranges::all_of(missing, of_classifier) &&
                                 std::ranges::all_of(unexpected, of_classifier) &&
                                 std::ranges::all_of(misshapen, of_classifier);
    if (only_classifier)
      throw Error(errors::import_classifier, text,
                  "only the classifier is another one: --replace-classifier gives it new weights, or set "
                  "model.num_classes");
    if (!missing.empty())
      throw Error(errors::import_missing, text, "the file must be of the network that --model describes");
    if (!unexpected.empty())
      throw Error(errors::import_unexpected, text, "the file must be of the network that --model describes");
    if (!misshapen.empty())
      throw Error(errors::import_shape, text, "the file must be of the network that --model describes");
    throw Error(errors::import_dtype, text, "convert them before saving the file: docs/pytorch.md");
  }

  void check_numbers() const {
    std::vector<std::string> bad;
    for (const auto& [name, t] : file_) {
      const float* v = t.data<float>();
      if (!std::all_of(v, v + t.size(), [](float x) { return std::isfinite(x); }))
        bad.push_back(name_in_file(name) + " is not finite everywhere");
      else if (name.ends_with(".running_var") && std::any_of(v, v + t.size(), [](float x) { return x < 0; }))
        bad.push_back(name_in_file(name) + " has a negative variance");
    }
    if (!bad.empty())
      throw Error(errors::import_not_finite, "numbers that no network can have:" + list_of(bad));
  }

  const Model& model_;
  const ImportOptions options_;
  const Tensors want_;
  Tensors file_;
  std::map<std::string, std::string> names_;  // in the file, of those that were renamed
  ImportedWeights result_;
};

}  // namespace

ImportedWeights import_weights(const Model& model, Tensors file, const ImportOptions& options) {
  return Import(model, std::move(file), options).run();
}

}  // namespace eb::tools

#include "engine/graph/arch/arch.h"

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"
#include "engine/graph/arch/preresnet.h"
#include "engine/graph/arch/resnet.h"
#include "engine/graph/arch/vgg.h"
#include "engine/graph/graph_rules.h"

namespace eb::engine {

namespace {

struct Arch {
  const char* name;
  Graph (*build)(const ArchOptions&);
};

const Arch archs[] = {{"vgg", vgg}, {"preresnet", preresnet}, {"resnet", resnet}};

}  // namespace

const std::vector<std::string>& arch_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Arch& arch : archs) all.push_back(arch.name);
    return all;
  }();
  return names;
}

Graph build_arch(const std::string& name, const ArchOptions& options) {
  for (const Arch& arch : archs)
    if (name == arch.name) return arch.build(options);
  const std::string near = did_you_mean(name, arch_names());
  throw Error(errors::unknown_architecture, "unknown architecture " + quote(name),
              near.empty() ? "one of vgg, preresnet, resnet" : "did you mean \"" + near + "\"?");
}

}  // namespace eb::engine

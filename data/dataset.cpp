#include "data/dataset.h"

#include <fmt/core.h>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::data {
namespace {

using Kind = DataConfig::Kind;

std::string hint_for(Kind kind, const std::string& root) {
  if (root == "~" || root.starts_with("~/"))
    return "~ is a shell's word for ${HOME}, which data.root understands: write ${HOME}" + root.substr(1);
  if (kind == Kind::cifar10_bin)
    return "run tools/get_cifar 10, or point data.root to the folder with data_batch_1.bin";
  if (kind == Kind::cifar100_bin)
    return "run tools/get_cifar 100, or point data.root to the folder with train.bin";
  return "point data.root to a folder that holds train/ and test/ (or val/) with one folder of images per "
         "class";
}

}  // namespace

std::shared_ptr<const Dataset> open_dataset(const DataConfig& c, Split split) {
  std::error_code ignored;
  if (c.kind != Kind::synthetic && !std::filesystem::is_directory(c.root, ignored))
    throw Error(errors::no_data,
                fmt::format("no data at {} (data.kind {})", c.root.string(), engine::name_of(c.kind)),
                hint_for(c.kind, c.root.string()));
  switch (c.kind) {
    case Kind::cifar10_bin:
      return open_cifar_bin(c.root, 10, split);
    case Kind::cifar100_bin:
      return open_cifar_bin(c.root, 100, split);
    case Kind::image_folder:
      return open_image_folder(c.root, split, c.allow_empty_classes);
    case Kind::synthetic:
      break;
  }
  return make_synthetic(c.synthetic, split);
}

std::string fingerprint_of(const Dataset& train, const Dataset& test) {
  return fmt::format("{:016x}{:016x}", train.fingerprint(), test.fingerprint());
}

}  // namespace eb::data

#include "data/fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/data_config.h"
#include "engine/base/error_codes.h"

namespace eb::data {

using engine::Config;
using engine::Field;
using engine::name_of;
using engine::names_of;
using engine::Table;
using Type = Field::Type;

static std::vector<Field> source_fields() {
  return {
      Field{"data.kind", Type::string, nullptr,
            "Kind of data: CIFAR's binary files, a folder of images (train/ and test/ with one folder per "
            "class; "
            "val/, valid/ or validation/ where test/ is missing or has no labels), or procedural images. "
            "Images "
            "are JPEG or PNG by their first bytes, at any depth below the class's folder; hidden folders and "
            "those that systems leave behind (@eaDir, lost+found, __MACOSX) are passed over."}
          .one_of(names_of<DataConfig::Kind>())
          .must_be_given()
          .not_yet({"packed"}),
      Field{"data.root", Type::path, nullptr,
            "Folder of the data, relative to the current directory; ${EB_DATA}, ${HOME} and ${TMPDIR} are "
            "replaced. Every kind but synthetic needs it."}
          .or_null(),
      Field{
          "data.allow_empty_classes", Type::boolean, false,
          "image_folder: a folder in train/ without images is a class all the same; otherwise an error that "
          "names it."},
      Field{"data.holdout", Type::integer, 5000,
            "Training images set aside to pick the best checkpoint; 0 picks it on the test set, as the paper "
            "did, "
            "and the report says so."}
          .range(0, 1'000'000'000),
      Field{"data.on_bad_sample", Type::string, DataConfig::OnBadSample::error,
            "An image that cannot be decoded stops the run; skip: it is left out of evaluation, another "
            "stands in "
            "for it in training, and the report names it."}
          .one_of(names_of<DataConfig::OnBadSample>()),
      Field{"data.max_bad", Type::integer, 10, "skip: more bad images than this stop the run all the same."}
          .range(0, 1'000'000'000),
      Field{"data.workers", Type::integer, nullptr,
            "Threads that decode and augment; 0 does it in the training thread, null or \"auto\" picks. The "
            "result does not depend on it."}
          .range(0, 256)
          .or_null()
          .same_as({{"auto", nullptr}}),
      Field{"data.cache_mib", Type::integer, 4096,
            "Decoded images are kept in memory if all of them fit into this many MiB."}
          .range(0, 1 << 30),
  };
}

static std::vector<Field> image_fields() {
  return {
      Field{"data.augment", Type::list_of_strings, nlohmann::json::array(),
            "Changes to training images, in this order: pad4_crop32 (pad by 4 zeros, random crop back to the "
            "size), hflip (mirror half of them), random_resized_crop (random part, scaled to image_size; "
            "evaluation scales the short side to image_size * 256 / 224 and crops the centre). Pixels are "
            "those of "
            "PIL and torchvision: orientation in EXIF, colour profiles and gamma are ignored, alpha is "
            "dropped, 16 "
            "bits become 8 by scaling (PIL clips grey ones). Only training decodes large JPEGs at 1/2, 1/4 "
            "or 1/8, "
            "while the short side stays at least 4 * image_size."}
          .one_of(names_of<Augment>()),
      Field{"data.image_size", Type::integer, 224, "Height and width that random_resized_crop makes."}.range(
          1, 4096),
      Field{"data.normalize.mean",
            Type::list_of_numbers,
            {0.4914, 0.4822, 0.4465},
            "Subtracted from each channel of an image in 0..1."}
          .range(-1000, 1000),
      Field{
          "data.normalize.std", Type::list_of_numbers, {0.2023, 0.1994, 0.2010}, "Then divides each channel."}
          .between(0, 1000),
      Field{"data.synthetic.train", Type::integer, 10'000, "synthetic: training images."}.range(1,
                                                                                                10'000'000),
      Field{"data.synthetic.test", Type::integer, 2000, "synthetic: test images."}.range(1, 10'000'000),
      Field{"data.synthetic.size", Type::integer, 32, "synthetic: height and width."}.range(8, 1024),
      Field{"data.synthetic.classes", Type::integer, 10, "synthetic: classes."}.range(2, 10),
      Field{"data.synthetic.noise", Type::number, 0.1,
            "synthetic: standard deviation of the noise on pixels in 0..1."}
          .range(0, 1),
  };
}

static void source_rule(Config& c) {
  const bool synthetic = c.get<DataConfig::Kind>("data.kind") == DataConfig::Kind::synthetic;
  if (!synthetic && (c.is_null("data.root") || c.get<std::string>("data.root").empty()))
    throw c.error(errors::missing_key, "data.root", "missing required key",
                  "say where the data is, as in \"root\": \"datasets/cifar-10-batches-bin\"");
  if (synthetic && c.get<int64_t>("data.holdout") >= c.get<int64_t>("data.synthetic.train"))
    throw c.error(errors::keys_contradict, "data.holdout",
                  "leaves nothing of data.synthetic.train to train on",
                  "set data.holdout to 0, or data.synthetic.train higher");
  if (c.at("data.normalize.mean").size() != c.at("data.normalize.std").size())
    throw c.error(errors::keys_contradict, "data.normalize.std",
                  "want as many values as data.normalize.mean has", "give one of each per channel");
}

static void augment_rule(Config& c) {
  const auto list = c.get<std::vector<Augment>>("data.augment");
  const auto times = [&](Augment how) { return std::count(list.begin(), list.end(), how); };
  for (const Augment how : list)
    if (times(how) > 1)
      throw c.error(errors::keys_contradict, "data.augment",
                    fmt::format("\"{}\" is listed twice", name_of(how)), "remove one of the two");
  if (times(Augment::pad4_crop32) && times(Augment::random_resized_crop))
    throw c.error(errors::keys_contradict, "data.augment",
                  "pad4_crop32 and random_resized_crop exclude each other",
                  "keep the one that fits the images");
}

const Table& data_fields() {
  static const Table table = [] {
    Table t{source_fields()};
    const auto images = image_fields();
    t.fields.insert(t.fields.end(), images.begin(), images.end());
    t.rules = {source_rule, augment_rule};
    return t;
  }();
  return table;
}

}  // namespace eb::data

#include "data/data_config.h"

#include <algorithm>

#include "engine/base/error_codes.h"
#include "engine/base/text.h"
#include "engine/config/config.h"

namespace eb::data {

bool DataConfig::augments(Augment how) const {
  return std::find(augment.begin(), augment.end(), how) != augment.end();
}

static void read_channels(const engine::Config& c, const char* key, float out[3]) {
  const auto values = c.get<std::vector<float>>(key);
  if (values.size() != 1 && values.size() != 3)
    throw c.error(errors::keys_contradict, key, "want 1 or 3 values", "give one value per colour channel");
  for (int i = 0; i < 3; ++i) out[i] = values[values.size() == 1 ? 0 : i];
}

DataConfig data_config(const engine::Config& c) {
  DataConfig d;
  d.kind = c.get<DataConfig::Kind>("data.kind");
  if (!c.is_null("data.root")) d.root = engine::bytes_of_text(c.get<std::string>("data.root"));
  d.allow_empty_classes = c.get<bool>("data.allow_empty_classes");
  d.holdout = c.get<int64_t>("data.holdout");
  d.augment = c.get<std::vector<Augment>>("data.augment");
  read_channels(c, "data.normalize.mean", d.mean);
  read_channels(c, "data.normalize.std", d.std);
  using OnBadSample = DataConfig::OnBadSample;
  d.skip_bad_samples = c.get<OnBadSample>("data.on_bad_sample") == OnBadSample::skip;
  d.max_bad = c.get<int64_t>("data.max_bad");
  if (!c.is_null("data.workers")) d.workers = c.get<int>("data.workers");
  d.image_size = c.get<int>("data.image_size");
  d.cache_mib = c.get<int64_t>("data.cache_mib");
  d.synthetic = {.train = c.get<int64_t>("data.synthetic.train"),
                 .test = c.get<int64_t>("data.synthetic.test"),
                 .size = c.get<int>("data.synthetic.size"),
                 .classes = c.get<int>("data.synthetic.classes"),
                 .noise = c.get<double>("data.synthetic.noise")};
  if (c.table().find("seed")) d.seed = c.get<uint64_t>("seed");
  return d;
}

}  // namespace eb::data

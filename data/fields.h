// Config keys of the data: kind, place, hold-out, augmentation, loading.
#pragma once
#include "engine/config/config.h"

namespace eb::data {

const engine::Table& data_fields();

}  // namespace eb::data

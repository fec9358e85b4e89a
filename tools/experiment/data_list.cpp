#include "tools/experiment/data_list.h"

#include "data/file_list.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/run/names.h"

namespace eb::tools {

namespace fs = std::filesystem;

static fs::path list_of(const engine::RunDir& run) {
  return run.path() / engine::file_names::data_files;
}

void keep_data_list(const engine::RunDir& run, const data::Loaders& loaders) {
  std::error_code unknown;
  if (fs::exists(list_of(run), unknown)) return;
  const std::string list = data::file_list(loaders.train->dataset(), loaders.test->dataset());
  if (!list.empty()) engine::replace_file(list_of(run), list);
}

Error with_difference(const Error& error, const engine::RunDir& run, const data::Loaders& loaders) {
  std::error_code unknown;
  if (error.code() != errors::other_data || !fs::exists(list_of(run), unknown)) return error;
  const std::string what =
      data::difference(engine::read_file(list_of(run)), loaders.train->dataset(), loaders.test->dataset());
  if (what.empty()) return error;
  return Error(error.code(), error.message() + ": " + engine::printable(what), error.hint(), error.where());
}

}  // namespace eb::tools

#include "engine/base/enum_names.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

namespace eb::engine {

void throw_unknown_name(int code, const std::string& what, std::string_view name,
                        std::span<const std::string_view> known) {
  std::string all;
  for (const std::string_view one : known) all.append(all.empty() ? "" : " | ").append(one);
  const std::string near = did_you_mean(std::string(name), {known.begin(), known.end()});
  throw Error(code, what + ": " + quote(std::string(name)) + " is not a choice, want " + all,
              near.empty() ? "" : "did you mean \"" + near + "\"?");
}

}  // namespace eb::engine

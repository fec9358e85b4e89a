#include "kernels/cuda/library/shared_library.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>

namespace eb::kernels::cuda {

static std::string searched() {
  const char* folders = std::getenv("LD_LIBRARY_PATH");
  return folders && *folders ? std::string("LD_LIBRARY_PATH is ") + folders : "LD_LIBRARY_PATH is empty";
}

static std::string path_of(void* handle, const std::string& name) {
  link_map* map = nullptr;
  return dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map && *map->l_name ? map->l_name : name;
}

SharedLibrary::SharedLibrary(std::string title, const std::vector<std::string>& names, std::string remedy)
    : title_(std::move(title)), remedy_(std::move(remedy)) {
  std::string said;
  for (const std::string& name : names) {
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_) {
      path_ = path_of(handle_, name);
      return;
    }
    const char* why = dlerror();
    said += "; " + (why ? std::string(why) : name);
  }
  throw LibraryError(title_ + " was not found (" + searched() + ")" + said, remedy_);
}

void* SharedLibrary::symbol(const char* name) const {
  if (void* found = dlsym(handle_, name)) return found;
  throw LibraryError(path_ + " has no function " + name + ", which " + title_ + " has", remedy_);
}

void SharedLibrary::check_major(int wanted, int found, const std::string& version) const {
  if (found == wanted) return;
  throw LibraryError(
      path_ + " is version " + version + ", this build was compiled for version " + std::to_string(wanted),
      remedy_);
}

std::vector<std::string> library_names(const std::string& file, const std::string& folder) {
  if (folder.empty()) return {file};
  return {file, folder + "/" + file};
}

}  // namespace eb::kernels::cuda

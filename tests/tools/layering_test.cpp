// Folder = library, and includes follow the arrows tools -> {pruning, quant, data} -> engine -> kernels only.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

static const std::map<std::string, std::set<std::string>> arrows = {
    {"kernels", {"kernels"}},
    {"engine", {"engine", "kernels"}},
    {"data", {"data", "engine", "kernels"}},
    {"pruning", {"pruning", "engine", "kernels"}},
    {"quant", {"quant", "engine", "kernels"}},
    {"tools", {"tools", "pruning", "quant", "data", "engine", "kernels"}},
};

// What is wrong with one file of `folder`, one line per fault.
static std::vector<std::string> faults(const std::string& folder, const std::string& path,
                                       const std::string& text) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("<<<") != std::string::npos && path.find("launch.cuh") == std::string::npos)
      found.push_back(path + ": raw launch, use launch()");
    if (line.rfind("#include", 0) != 0) continue;
    bool cuda = false;
    for (const char* header : {"<cuda", "<cudnn", "<cublas"})
      cuda = cuda || line.find(header) != std::string::npos;
    if (cuda && path.find("kernels/cuda") == std::string::npos)
      found.push_back(path + ": CUDA header outside kernels/cuda");
    const size_t open = line.find('"'), slash = line.find('/', open);
    if (open == std::string::npos || slash == std::string::npos) continue;
    if (!arrows.at(folder).count(line.substr(open + 1, slash - open - 1)))
      found.push_back(path + ": " + line);
  }
  return found;
}

TEST(Layering, includes_follow_the_arrows) {
  int files = 0;
  for (const auto& [folder, allowed] : arrows) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(EB_SOURCE_DIR) / folder)) {
      const std::string ext = entry.path().extension();
      if (ext != ".h" && ext != ".cpp" && ext != ".cu" && ext != ".cuh") continue;
      std::ifstream in(entry.path());
      std::stringstream text;
      text << in.rdbuf();
      for (const auto& fault : faults(folder, entry.path(), text.str())) ADD_FAILURE() << fault;
      ++files;
    }
  }
  EXPECT_GT(files, 50);
}

TEST(Layering, catches_upward_arrows_and_raw_launches) {
  EXPECT_EQ(faults("engine", "engine/x.cpp", "#include \"pruning/ticket.h\"\n").size(), 1u);
  EXPECT_EQ(faults("kernels", "kernels/x.cpp", "#include \"engine/tensor/tensor.h\"\n").size(), 1u);
  EXPECT_EQ(faults("engine", "engine/x.cpp", "#include <cuda_runtime.h>\n").size(), 1u);
  EXPECT_EQ(faults("tools", "tools/x.cpp", "#include <cublas_v2.h>\n").size(), 1u);
  EXPECT_EQ(faults("kernels", "kernels/cuda/x.cu", "f<<<1, 2>>>();\n").size(), 1u);
  EXPECT_TRUE(faults("tools", "tools/x.cpp", "#include \"pruning/ticket.h\"\n#include <vector>\n").empty());
}

// Folder or room = library, and includes follow the arrows: tools -> {pruning, quant, data} -> engine ->
// kernels, and within a folder those of its CMakeLists.txt.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/paths.h"

namespace fs = std::filesystem;
using Rooms = std::set<std::string>;

static Rooms operator+(Rooms a, const Rooms& b) {
  a.insert(b.begin(), b.end());
  return a;
}

// What each room may include besides itself. Every folder with a source file is here.
static const std::map<std::string, Rooms>& arrows() {
  static const std::map<std::string, Rooms> table = [] {
    const Rooms contracts = {"kernels"},
                cuda_base =
                    contracts + Rooms{"kernels/cuda/policy", "kernels/cuda/platform", "kernels/emulated"},
                cuda_tiles = cuda_base + Rooms{"kernels/cuda/gemm"},
                cuda = cuda_tiles + Rooms{"kernels/cuda"},
                tensor = contracts + Rooms{"engine/base", "engine/tensor"},
                graph = tensor + Rooms{"engine/graph"},
                files = tensor + Rooms{"engine/config", "engine/checkpoint"},
                model = graph + Rooms{"engine/graph/arch", "engine/ops", "engine/bfp", "engine/model"},
                engine = model + files + Rooms{"engine/world", "engine/train", "engine/run"},
                below_tools = engine + Rooms{"data", "pruning", "quant", "quant/swa", "kernels/cpu"},
                experiment = below_tools + Rooms{"tools/experiment"},
                record = experiment + Rooms{"tools/record"}, plot = record + Rooms{"tools/plot"};
    return std::map<std::string, Rooms>{
        {"kernels", {}},
        {"kernels/cpu", contracts},
        {"kernels/cpu/conv2d", contracts + Rooms{"kernels/cpu"}},
        {"kernels/cuda/policy", contracts},  // arithmetic, in builds without CUDA too
        {"kernels/cuda/platform", cuda_base},
        {"kernels/cuda/gemm", cuda_base},
        {"kernels/cuda", cuda_tiles},
        {"kernels/cuda/conv2d", cuda},
        {"kernels/cuda/library", cuda},
        {"kernels/emulated", cuda_tiles},
        {"kernels/mpi", {}},
        {"engine/base", contracts},
        {"engine/config", contracts + Rooms{"engine/base"}},
        {"engine/tensor", tensor},
        {"engine/ops", tensor},
        {"engine/graph", tensor},
        {"engine/graph/arch", graph},
        {"engine/graph/ops", graph},
        {"engine/bfp", graph + Rooms{"engine/ops"}},
        {"engine/model", model + Rooms{"kernels/cpu"}},  // initialisation is always done there
        {"engine/checkpoint", files},
        {"engine/world", contracts + Rooms{"engine/base", "kernels/mpi"}},
        {"engine/train", model + Rooms{"engine/config", "engine/world"}},
        {"engine/run", engine},
        {"data", engine},
        {"pruning", engine},
        {"quant", engine},
        {"quant/swa", engine},
        {"tools/experiment", below_tools},
        {"tools/record", experiment},
        {"tools/plot", record},
        {"tools/watch", plot},
        {"tools/doctor", experiment + Rooms{"kernels/cuda/library"}},
        {"tools/bench", experiment + Rooms{"kernels/cuda/policy"}},
        {"tools/report/gather", record},
        {"tools/report/page", plot + Rooms{"tools/report/gather"}},
        {"tools/tensorboard", plot},
        {"tools/export", engine},
        {"tools/import", engine},
        {"tools/compare", record},
        {"tools/cli", plot + Rooms{"kernels/cuda/policy", "tools/watch", "tools/doctor", "tools/bench",
                                   "tools/report/gather", "tools/report/page", "tools/tensorboard",
                                   "tools/export", "tools/import", "tools/compare"}},
        {"tools", engine + Rooms{"tools/cli"}},
    };
  }();
  return table;
}

// What is wrong with one file of `room`, one line per fault.
static std::vector<std::string> faults(const std::string& room, const std::string& path,
                                       const std::string& text) {
  std::vector<std::string> found;
  const auto allowed = arrows().find(room);
  if (allowed == arrows().end()) return {path + ": no room is called " + room};
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("<<<") != std::string::npos) found.push_back(path + ": raw launch, use launch()");
    if (line.rfind("#include", 0) != 0) continue;
    bool cuda = false;
    for (const char* header : {"<cuda", "<cudnn", "<cublas"})
      cuda = cuda || line.find(header) != std::string::npos;
    if (cuda && path.find("kernels/cuda") == std::string::npos)
      found.push_back(path + ": CUDA header outside kernels/cuda");
    if (line.rfind("#include <mpi.h>", 0) == 0 && room != "kernels/mpi")
      found.push_back(path + ": MPI's header outside kernels/mpi");
    if (line.rfind("#include <CLI/", 0) == 0 && !path.ends_with("tools/cli/parse.cpp"))
      found.push_back(path + ": CLI11, which costs seconds in each file, outside tools/cli/parse.cpp");
    const size_t open = line.find('"'), slash = line.rfind('/');
    if (open == std::string::npos || slash == std::string::npos) continue;
    const std::string other = line.substr(open + 1, slash - open - 1);
    if (other != room && !allowed->second.count(other)) found.push_back(path + ": " + line);
  }
  return found;
}

static bool is_source(const fs::path& path) {
  static const std::set<std::string> extensions = {".h", ".cpp", ".cu", ".cuh"};
  return extensions.count(path.extension()) > 0;
}

TEST(Layering, includes_follow_the_arrows) {
  const fs::path root = eb::test::source_dir();
  int files = 0;
  Rooms seen;
  for (const char* folder : {"kernels", "engine", "data", "pruning", "quant", "tools"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!is_source(entry.path())) continue;
      std::ifstream in(entry.path());
      std::stringstream text;
      text << in.rdbuf();
      const std::string room = entry.path().parent_path().lexically_relative(root);
      seen.insert(room);
      for (const auto& fault : faults(room, entry.path(), text.str())) ADD_FAILURE() << fault;
      ++files;
    }
  }
  EXPECT_GT(files, 400);
  for (const auto& [room, allowed] : arrows()) EXPECT_TRUE(seen.count(room)) << room << " has no file";
}

// An arrow back would make two rooms one.
TEST(Layering, rooms_have_no_cycles) {
  const std::set<std::pair<std::string, std::string>> mutual = {
      // One text for two worlds: the emulated device stands below the kernels and reads their descriptors.
      {"kernels/cuda/platform", "kernels/emulated"},
      {"kernels/cuda/gemm", "kernels/emulated"},
      {"kernels/cuda/gemm", "kernels/cuda/platform"}};
  for (const auto& [room, allowed] : arrows())
    for (const auto& other : allowed)
      if (room < other && !mutual.count({room, other}))
        EXPECT_FALSE(arrows().at(other).count(room)) << room << " and " << other << " include each other";
}

TEST(Layering, catches_upward_arrows_and_raw_launches) {
  EXPECT_EQ(faults("engine/run", "engine/run/x.cpp", "#include \"pruning/ticket.h\"\n").size(), 1u);
  EXPECT_EQ(faults("engine/base", "engine/base/x.cpp", "#include \"engine/config/config.h\"\n").size(), 1u);
  EXPECT_EQ(faults("engine/config", "engine/config/x.cpp", "#include \"engine/tensor/tensor.h\"\n").size(),
            1u);
  EXPECT_EQ(faults("tools/bench", "tools/bench/x.cpp", "#include \"tools/cli/commands.h\"\n").size(), 1u);
  EXPECT_EQ(faults("kernels/cpu", "kernels/cpu/x.cpp", "#include \"engine/tensor/tensor.h\"\n").size(), 1u);
  EXPECT_EQ(faults("engine/run", "engine/run/x.cpp", "#include <cuda_runtime.h>\n").size(), 1u);
  EXPECT_EQ(faults("tools/cli", "tools/cli/x.cpp", "#include <CLI/CLI.hpp>\n").size(), 1u);
  EXPECT_EQ(faults("tools/cli", "tools/cli/x.cpp", "#include <cublas_v2.h>\n").size(), 1u);
  EXPECT_EQ(faults("engine/world", "engine/world/x.cpp", "#include <mpi.h>\n").size(), 1u);
  EXPECT_TRUE(faults("kernels/mpi", "kernels/mpi/x.cpp", "#include <mpi.h>\n").empty());
  EXPECT_EQ(faults("kernels/cuda", "kernels/cuda/x.cu", "f<<<1, 2>>>();\n").size(), 1u);
  EXPECT_EQ(faults("engine/attic", "engine/attic/x.cpp", "").size(), 1u);
  EXPECT_TRUE(
      faults("tools/cli", "tools/cli/x.cpp", "#include \"pruning/ticket.h\"\n#include <vector>\n").empty());
}

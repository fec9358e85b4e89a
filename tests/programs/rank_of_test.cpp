// One rank of the tests of World: mpirun -np N rank_of_test MODE [WORDS...], or rank_of_test ranks N MODE
// [WORDS...], which starts itself under mpirun. Exits with an Error's code, as the engine does. What a rank
// found wrong it says on stderr, with code 1.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include "engine/base/clock.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/stop_signal.h"
#include "engine/world/mpi_library.h"
#include "engine/world/world.h"
#include "tools/experiment/run_as_ranks.h"

namespace {

using namespace eb;
using namespace eb::engine;
using Words = std::vector<std::string>;

void require(bool good, const std::string& what) {
  if (good) return;
  std::fprintf(stderr, "wrong: %s\n", what.c_str());
  std::_Exit(1);
}

// A number that says who sent it, to whom, and where it stands.
float value_of(int from, int to, int64_t i) {
  return static_cast<float>(from * 1000003 + to * 10007 + i % 997);
}

void moves_bytes(World& world, const Words&) {
  const auto size = static_cast<size_t>(world.size());
  for (const int64_t slice : {int64_t{16}, int64_t{48}, int64_t{1024}, int64_t{65552}, int64_t{1000000}}) {
    std::vector<float> send(size * static_cast<size_t>(slice)), receive(send.size(), -1),
        all(send.size(), -2);
    for (int to = 0; to < world.size(); ++to)
      for (int64_t i = 0; i < slice; ++i)
        send[static_cast<size_t>(to * slice + i)] = value_of(world.rank(), to, i);
    for (int64_t i = 0; i < slice; ++i)
      all[static_cast<size_t>(world.rank() * slice + i)] = value_of(world.rank(), 7, i);
    world.exchange(kernels::Device::cpu, send.data(), receive.data(), slice);
    world.gather(kernels::Device::cpu, all.data(), slice);
    for (int from = 0; from < world.size(); ++from)
      for (int64_t i = 0; i < slice; ++i) {
        const auto at = static_cast<size_t>(from * slice + i);
        require(receive[at] == value_of(from, world.rank(), i), "exchange, slice " + std::to_string(slice));
        require(all[at] == value_of(from, 7, i), "gather, slice " + std::to_string(slice));
      }
  }
  for (const size_t bytes : {0, 1, 16, 4097, 1000000})
    for (int from = 0; from < world.size(); ++from) {
      const std::string sent(bytes, static_cast<char>('a' + from));
      require(world.broadcast(world.rank() == from ? sent : "another", from) == sent, "broadcast");
    }
  const std::string mine(static_cast<size_t>(world.rank()) * 1000, static_cast<char>('0' + world.rank()));
  const std::vector<std::string> all = world.all_gather(mine);
  require(static_cast<int>(all.size()) == world.size(), "all_gather");
  for (size_t r = 0; r < all.size(); ++r)
    require(all[r] == std::string(r * 1000, static_cast<char>('0' + r)), "all_gather of different sizes");
}

// The last rank wishes a stop in call 3: everybody sees it in call 4, although they come at different times.
void agrees(World& world, const Words&) {
  int seen = -1;
  for (int call = 0; call < 6; ++call) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3 * world.rank()));
    const auto all = world.agree({.stop = call == 3 && world.rank() == world.size() - 1});
    require(all.has_value() == (call > 0), "the first call has no result, the others have");
    require(!all || !all->checkpoint, "nobody wished a checkpoint");
    if (all && all->stop && seen < 0) seen = call;
  }
  require(seen == 4, "a wish of call 3 is seen in call 4");
  const World::Wish now = world.agree_now({.checkpoint = world.leads()});
  require(now.checkpoint && !now.stop, "agree_now");
  require(!world.agree({}).has_value(), "after agree_now there is nothing to be seen");
}

// differ FIELD RANK: that rank has another value.
void differs(World& world, const Words& words) {
  World::Fields fields = {{"config", "1f"}, {"data", "2e"}, {"shards", "8"}};
  for (auto& [name, value] : fields)
    if (name == words.at(0) && world.rank() == std::stoi(words.at(1))) value = "other";
  world.handshake(fields);
}

void has_other_state(World& world, const Words& words) {
  const bool other = world.rank() == std::stoi(words.at(1));
  world.same("after epoch 3", {{"values", words.at(0) == "values" && other ? "0" : "1"},
                               {"momentum", words.at(0) == "momentum" && other ? "0" : "1"}});
}

// steps DIR TIMEOUT [PHASE]: trains without end. DIR/RANK.pid appears once the rank is in its loop.
void steps(World& world, const Words& words) {
  world.set_timeout(std::stod(words.at(1)));
  world.set_crash_directory(words.at(0));
  world.phase(words.size() > 2 ? words[2].c_str() : "train");
  world.barrier();
  std::ofstream(words.at(0) + "/" + std::to_string(world.rank()) + ".pid") << ::getpid() << std::endl;
  std::vector<float> send(16 * static_cast<size_t>(world.size())), receive(send.size());
  while (true) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    world.exchange(kernels::Device::cpu, send.data(), receive.data(), 16);
    world.gather(kernels::Device::cpu, receive.data(), 16);
    world.alive();
  }
}

// lags SECONDS TIMEOUT PHASE: the last rank comes so much later, once.
void lags(World& world, const Words& words) {
  world.set_timeout(std::stod(words.at(1)));
  world.phase(words.at(2).c_str());
  if (world.rank() == world.size() - 1)
    std::this_thread::sleep_for(std::chrono::duration<double>(std::stod(words.at(0))));
  world.barrier();
}

// stops DIR: until any rank is asked to; a run that was stopped ends with 75, the checkpoint being written.
void stops(World& world, const Words& words) {
  watch_stop_signals();
  world.phase("train");
  world.barrier();
  std::ofstream(words.at(0) + "/" + std::to_string(world.rank()) + ".pid") << ::getpid() << std::endl;
  while (!world.agree({.stop = stop_signal_received()}).value_or(World::Wish{}).stop)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(world.leads() ? 1500 : 0));  // writes the checkpoint
  if (world.leads()) std::ofstream(words.at(0) + "/checkpoint") << "written" << std::endl;
  world.finish();
  std::_Exit(75);
}

// exits RANK CODE: while the others wait for it.
void exits(World& world, const Words& words) {
  if (world.rank() == std::stoi(words.at(0))) throw Error(std::stoi(words.at(1)) * 1000 + 1, "of this rank");
  world.barrier();
}

// Prints what the caller measures: seconds of a sum's two moves and of MPI's own sum, medians of `words[1]`
// rounds.
void times(World& world, const Words& words) {
  const int64_t floats = std::stoll(words.at(0)), slice = floats / world.size();
  std::vector<float> arena(static_cast<size_t>(slice * world.size()), 1.f), staging(arena.size());
  const auto median = [&](const std::function<void()>& call) {
    std::vector<double> seconds;
    for (int i = 0; i < std::stoi(words.at(1)); ++i) {
      world.barrier();
      const double start = seconds_now();
      call();
      seconds.push_back(seconds_now() - start);
    }
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
  };
  const double exchange =
      median([&] { world.exchange(kernels::Device::cpu, arena.data(), staging.data(), slice); });
  const double gather = median([&] { world.gather(kernels::Device::cpu, arena.data(), slice); });
  const double reduce = median([&] { mpi_calls().all_reduce(arena.data(), slice * world.size()); });
  const double bytes = 4. * static_cast<double>(slice * world.size());
  if (world.leads())
    std::printf(
        "%.1f MB on %d ranks: exchange %.1f ms, gather %.1f ms, together %.2f GB/s; MPI_Allreduce %.1f ms\n",
        bytes / 1e6, world.size(), exchange * 1e3, gather * 1e3, bytes / (exchange + gather) / 1e9,
        reduce * 1e3);
}

using Mode = std::function<void(World&, const Words&)>;
const std::map<std::string, Mode> modes = {
    {"moves", moves_bytes}, {"agrees", agrees},
    {"differs", differs},   {"state", has_other_state},
    {"steps", steps},       {"lags", lags},
    {"exits", exits},       {"times", times},
    {"stops", stops},       {"nothing", [](World&, const Words&) {}},
};

}  // namespace

int main(int argc, char** argv) {
  Words words(argv + 1, argv + argc);
  try {
    if (words.at(0) == "ranks") {
      if (const auto code = tools::run_as_ranks(std::stoi(words.at(1)), {argv, argv + argc})) return *code;
      words.erase(words.begin(), words.begin() + 2);
    }
    set_fault_from_environment();
    const auto world = World::of_environment();
    modes.at(words.at(0))(*world, {words.begin() + 1, words.end()});
    if (world->leads())
      std::printf("rank 0 of %d, %d on this host, %d hosts\n", world->size(), world->local_size(),
                  world->hosts());
    world->finish();
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.text().c_str());
    return e.exit_code();
  }
}

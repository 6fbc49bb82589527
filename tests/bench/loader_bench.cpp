// Reading pictures to train on: a bare loop of decoding and cropping, and the loader with one thread, over the same
// pictures in the same order. Beside tests/bench/peers/loader, which calls it.
//
//     loader_bench SHARDS|TABLE.csv [PAIRS]

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <iostream>
#include <string_view>

#include <unistd.h>

#include <torch/types.h>
#include <torch/utils.h>
#include <nlohmann/json.hpp>

#include "harness/data/data.h"
#include "harness/data/encoded_pack.h"
#include "harness/data/loader.h"
#include "harness/record/machine.h"
#include "roclip/rng.h"

using namespace roclip;
using namespace roclip::bench;

namespace {

constexpr std::int64_t kBatch = 64;

double cpu_s() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }
double wall_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Json rate(std::int64_t pairs, const std::function<void()>& work) {
  const double cpu = cpu_s(), wall = wall_s();
  work();
  const auto count = static_cast<double>(pairs);
  return {{"pairs_per_cpu_s", count / (cpu_s() - cpu)}, {"pairs_per_wall_s", count / (wall_s() - wall)}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: loader_bench SHARDS|TABLE.csv [PAIRS]\n";
    return 2;
  }
  at::set_num_threads(1);
  const auto silent = [](auto...) {};
  const char* reader = std::string_view(argv[1]).ends_with(".csv") ? "csv" : "webdataset";
  const Json config = effective_data({{"reader", reader}, {"pairs", argv[1]}, {"store", "encoded"}}, ".", "data");
  Json result = {{"batch", kBatch}, {"px", Json::object()}};
  if (!is_prepared(config)) {
    const double start = wall_s();
    const auto pairs = load_data(config, 32, silent).train->size();
    result["prepared"] = {{"pairs", pairs}, {"wall_s", wall_s() - start}};
  }
  const double start = wall_s(), resident = resident_mib(::getpid());
  const EncodedPack pack(prepared_file(config));
  result["opened"] = {
      {"pairs", pack.size()}, {"ms", 1000 * (wall_s() - start)}, {"mib", resident_mib(::getpid()) - resident}};

  const auto pairs = std::min<std::int64_t>(pack.size(), argc > 2 ? std::atoll(argv[2]) : 20000) / kBatch * kBatch;
  result["pairs"] = pairs;
  const auto order = torch::tensor(Rng(1).sample(pack.size(), pairs), torch::kLong);
  const auto* index = order.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < pairs; ++i) pack.bytes(index[i]);  // from here on in the memory of the system
  for (const std::int64_t px : {32, 64, 224}) {
    Json& of_px = result["px"][std::to_string(px)];
    of_px["bare loop"] = rate(pairs, [&] {
      for (std::int64_t i = 0; i < pairs; ++i) pack.square(index[i], px);
    });
    const auto source = load_data(config, px, silent).train;
    of_px["loader, one thread"] = rate(pairs, [&] {
      Loader loader(*source, 1, 4);
      loader.start(order, kBatch);
      for (std::int64_t i = 0; i < pairs; i += kBatch) loader.next();
    });
  }
  std::cout << result.dump(2) << "\n";
}

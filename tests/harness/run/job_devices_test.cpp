#include <catch2/catch.hpp>

#include "harness/record/machine.h"
#include "harness/run/supervisor.h"

using namespace roclip::bench;

TEST_CASE("jobs are one a core on the CPU, and as many as fill each GPU while there are cores", "[run][gpu]") {
  const auto cores = allowed_cpus().size();
  const auto jobs = [](std::vector<std::string> devices, std::int64_t cells_a_gpu, std::size_t cells) {
    return job_devices(0, {.devices = std::move(devices), .cells_a_gpu = cells_a_gpu, .cells = {}, .builds = {}},
                       cells);
  };
  CHECK(jobs({"cpu"}, 16, 1000) == std::vector<std::string>(cores, "cpu"));
  CHECK(jobs({"cpu"}, 16, 1) == std::vector<std::string>{"cpu"});
  CHECK(jobs({"cuda:0"}, 1, 1000) == std::vector<std::string>{"cuda:0"});
  CHECK(jobs({"cuda:0"}, 16, 1000) == std::vector<std::string>(std::min<std::size_t>(cores, 16), "cuda:0"));
  const std::vector<std::string> many(cores + 3, "cuda:0");
  CHECK(jobs(many, 16, 1000) == many);  // each GPU has a cell, however few cores there are
  CHECK(job_devices(0, {.devices = {"cpu"}, .cells = {}, .builds = {}}, 1000, 2).size() ==
        std::max<std::size_t>(cores / 2, 1) * 2);
  const Expanded four{
      .devices = {"cuda:0", "cuda:1", "cuda:2", "cuda:3"}, .cells_a_gpu = 16, .cells = {}, .builds = {}};
  CHECK(job_devices(0, four, 1000, 2) == four.devices);                               // two cells, of two ranks each
  CHECK(job_devices(0, four, 1, 2) == std::vector<std::string>{"cuda:0", "cuda:1"});  // one cell
  CHECK(job_devices(1, four, 1000, 3) == std::vector<std::string>{"cuda:0", "cuda:1", "cuda:2"});
  CHECK(job_devices(3, {.devices = {"cuda:0", "cuda:1"}, .cells = {}, .builds = {}}, 1000) ==
        std::vector<std::string>{"cuda:0", "cuda:1", "cuda:0"});
}

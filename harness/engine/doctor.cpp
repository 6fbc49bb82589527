#include "harness/engine/commands.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>
#include <boost/algorithm/string/join.hpp>

#include "harness/data/data.h"
#include "harness/data/pack.h"
#include "harness/record/build_info.h"
#include "harness/record/environment.h"
#include "harness/record/protocol.h"
#include "harness/record/text.h"
#include "registry.h"

namespace roclip::bench {

namespace {

Json blas() {
  double gflops = 0;  // the best of a few looks: other processes may take the core for a moment
  for (int look = 0; look < 3; ++look) gflops = std::max(gflops, sgemm_gflops(768, 768, 768));
  const auto speed = format("%.0f GFLOP/s on one core", gflops);
  const auto name = fast_blas();
  if (name.empty()) {
    return finding("blas", "warn", "the reference BLAS, about 30 times slower than OpenBLAS: " + speed,
                   "apt-get install libopenblas0-openmp; if it is installed: "
                   "update-alternatives --config libblas.so.3-x86_64-linux-gnu");
  }
  return finding("blas", "ok", name.substr(0, name.find_last_not_of(' ') + 1) + ": " + speed);
}

Json processor(const Json& environment) {
  const auto name = environment.at("cpu").get<std::string>();
  std::string level = "x86-64-v4 (AVX-512)";
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("x86-64-v4")) level = "x86-64-v3 (AVX2, FMA)";
  if (!__builtin_cpu_supports("x86-64-v3")) {
    return finding("cpu", "warn", name + ", below x86-64-v3", "it works, several times slower than with AVX2 and FMA");
  }
#else
  level = "not x86-64: the plain loops of the compiler";
#endif
  return finding("cpu", "ok", name + ", " + level);
}

Json gpus() {
  const auto count = torch::cuda::device_count();
  const std::vector<std::string> told = environment(torch::kCUDA, {}).at("gpu");
  if (count > 0) return finding("gpu", "ok", std::to_string(count) + " usable; " + boost::join(told, ", "));
  if (told.empty()) return finding("gpu", "ok", "none: cells run on the CPU");
  return finding("gpu", "warn", "this LibTorch sees none of " + boost::join(told, ", "),
                 "build with a LibTorch for CUDA: ROCLIP_TORCH=<site-packages>/torch ./roclip-bench; until then cells "
                 "run on the CPU");
}

void look_at_plugins(const Json& task, Json& findings) {
  try {
    const Registry registry = registry_of(task);
    std::map<PluginKind, std::vector<std::string>> names;
    for (const auto& plugin : registry.plugins()) names[plugin.descriptor->kind].push_back(plugin.name());
    for (const auto kind : {PluginKind::kAttack, PluginKind::kDefense, PluginKind::kMetric}) {
      const std::string plural = std::string(to_string(kind)) + "s";
      findings.push_back(names[kind].empty()
                             ? finding(plural, "fail", "none found",
                                       "roclip-bench --plugin-path FOLDER, or install again", ErrorKind::kPlugin)
                             : finding(plural, "ok", boost::join(names[kind], ", ")));
    }
    for (const auto& [file, reason] : registry.refused()) {
      const auto semicolon = std::min(reason.find(';'), reason.size());  // what follows says what to do
      const auto fix = reason.substr(std::min(semicolon + 2, reason.size()));
      findings.push_back(finding("refused", "warn", file.string() + " " + reason.substr(0, semicolon),
                                 (fix.empty() ? "" : fix + ", or ") + "take it off the search path"));
    }
  } catch (const Error& e) {
    findings.push_back(
        finding("plugins", "fail", e.what(), "mend --plugin-path or ROCLIP_BENCH_PLUGIN_PATH", ErrorKind::kPlugin));
  }
}

void look_at_data(Json& findings) {
  try {
    for (const auto& data : list_data()) {
      const auto name = data.at("name").get<std::string>(), file = data.at("file").get<std::string>();
      if (data.at("prepared") != true) {
        if (name != "emoji") continue;  // whoever wants it prepares it
        findings.push_back(finding("data", "warn", name + ": not prepared yet",
                                   "roclip-bench data prepare " + name + ", or let the first run do it"));
        continue;
      }
      findings.push_back(finding("data", "ok",
                                 name + ": " + data.at("pairs").dump() + " pairs, " + data.at("held_out").dump() +
                                     " held-out images; " + file));
      try {
        verify_pack(file);  // all of it: a run reads only its header and trains on what it finds
      } catch (const Error& e) {
        findings.push_back(finding("pack", "warn", e.what(), "roclip-bench data prepare " + name + " makes it again"));
      }
    }
  } catch (const Error& e) {
    findings.push_back(finding("data", "fail", e.what(), "", e.kind()));
  }
}

}  // namespace

double sgemm_gflops(std::int64_t m, std::int64_t n, std::int64_t k) {
  const auto a = torch::randn({m, k}), b = torch::randn({k, n});
  auto c = torch::empty({m, n});
  torch::mm_out(c, a, b);
  const double work = 2 * static_cast<double>(m * n * k);
  const auto repeats = static_cast<int>(4e8 / work) + 1;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) torch::mm_out(c, a, b);
  return work * repeats / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / 1e9;
}

int doctor(const Json& task) {
  at::set_num_threads(1);
  const Json here = environment(torch::kCPU, {});
  Json findings = {finding("libtorch", "ok",
                           here.at("libtorch").get<std::string>() + ", for CUDA: " + ROCLIP_TORCH_CUDA + ", " +
                               torch_library() + ", chosen " + kTorchChoice + "; plugins must be built as " + kBuildId),
                   blas(), processor(here), gpus()};
  look_at_plugins(task, findings);
  look_at_data(findings);
  std::cout << "\n" << kFindings << findings.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  return 0;
}

}  // namespace roclip::bench

#include <algorithm>
#include <chrono>
#include <cmath>

#include <dlfcn.h>
#include <malloc.h>

#include "harness/conformance/check.h"
#include "harness/record/files.h"
#include "harness/record/text.h"
#include "roclip/attack.h"
#include "roclip/defense.h"
#include "roclip/metric.h"

namespace roclip::bench::conformance {

namespace {

namespace fs = std::filesystem;

std::int64_t allocated_bytes() {
  // A sanitizer brings an allocator of its own, of which mallinfo2() knows nothing.
  static const auto of_sanitizer =
      reinterpret_cast<std::size_t (*)()>(::dlsym(RTLD_DEFAULT, "__sanitizer_get_current_allocated_bytes"));
  if (of_sanitizer != nullptr) return static_cast<std::int64_t>(of_sanitizer());
  const auto info = ::mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

void make_and_delete(const PluginDescriptor& plugin, const Json& params) {
  if (plugin.make_attack != nullptr) delete plugin.make_attack(params);
  if (plugin.make_defense != nullptr) delete plugin.make_defense(params);
  if (plugin.make_metric != nullptr) delete plugin.make_metric(params);
}

/// Whether an integer parameter can be neither this nor beyond: a bound that is none.
bool is_no_integer(double bound) { return std::abs(bound) >= 9e18; }

/// `number` as a value of that parameter: a list's element, if it is a list.
Json as_value(const Json& parameter, const Json& number) {
  return parameter.at("type").get<std::string>().starts_with("list") ? Json::array({number}) : number;
}

/// The bounds and choices of a parameter: all must be usable.
Json allowed_values(const Json& parameter) {
  const bool integer = parameter.at("type").get<std::string>().find("integer") != std::string::npos;
  Json values = parameter.value("choices", Json::array());
  for (const char* bound : {"min", "max"}) {
    if (!parameter.contains(bound)) continue;
    const auto number = parameter.at(bound).get<double>();
    if (integer && is_no_integer(number)) continue;
    values.push_back(as_value(parameter, integer ? Json(std::llround(number)) : Json(number)));
  }
  return values;
}

/// Values of the wrong type, and just outside the bounds.
Json wrong_values(const Json& parameter) {
  const auto type = parameter.at("type").get<std::string>();
  const bool integer = type.find("integer") != std::string::npos;
  Json values = Json::array({Json::object(), type == "string" ? Json(1) : Json("a string of no meaning")});
  if (type == "integer") values.push_back(0.5);
  for (const auto& [bound, step] : {std::pair("min", -1), std::pair("max", 1)}) {
    if (!parameter.contains(bound)) continue;
    const auto number = parameter.at(bound).get<double>();
    if (integer && is_no_integer(number)) continue;
    const double outside = std::nextafter(number, step * std::numeric_limits<double>::infinity());
    values.push_back(as_value(parameter, integer ? Json(std::llround(number) + step) : Json(outside)));
  }
  if (parameter.contains("choices")) values.push_back("no such choice");
  return values;
}

}  // namespace

Finding skipped(std::string why) { return {.measured = std::move(why), .skipped = true}; }

Finding check_parameters(const Subject& subject) {
  const auto effective = [&](const Json& params) { return subject.plugin.effective(params, "parameters"); };
  for (const Json& params : {Json::object(), subject.params}) {
    const Json values = effective(params);
    expect(effective(values) == values,
           "the values of " + params.dump() + " give different values when they are passed again",
           "declare() may only declare: no value may depend on another one");
  }
  std::int64_t refused = 0, made = 0;
  const auto must_refuse = [&](const Json& params) {
    try {
      effective(params);
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::kMatrix && ++refused) return;
      throw;
    }
    throw ContractViolation(params.dump() + " was accepted",
                            "declare every parameter with its range in Params::declare()");
  };
  const Json parameters = subject.plugin.describe();
  must_refuse({{"no_such_parameter", 1}});
  for (const auto& parameter : parameters) {
    const auto name = parameter.at("name").get<std::string>();
    for (const char* key : {"doc", "source"}) {
      expect(parameter.at(key) != "", "parameter \"" + name + "\" has no " + key,
             "say what it means and where its default is from");
    }
    for (const auto& value : wrong_values(parameter)) must_refuse({{name, value}});
    for (const auto& value : allowed_values(parameter)) {
      Json params = subject.params;
      params[name] = value;
      try {
        make_and_delete(subject.plugin, params);
        ++made;
      } catch (const Error&) {  // a combination that the constructor refuses, in words
      } catch (const std::exception& e) {
        throw ContractViolation(params.dump() + " is in range, but the constructor throws: " + e.what(),
                                "narrow the range, or throw roclip::Error(ErrorKind::kMatrix, ...) with the reason");
      }
    }
  }
  return {std::to_string(parameters.size()) + " parameters; " + std::to_string(refused) + " wrong values refused, " +
              std::to_string(made) + " bounds and choices accepted",
          {{"parameters", parameters.size()}, {"refused", refused}, {"taken", made}}};
}

Finding check_no_leak(const std::function<void()>& round) {
  constexpr int kWarmUp = 6, kBatches = 12, kRounds = 4;
  for (int i = 0; i < kWarmUp; ++i) round();
  // Free lists of the allocator fill up now and then; what leaks grows in every batch.
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (int batch = 0; batch < kBatches; ++batch) {
    const auto before = allocated_bytes();
    for (int i = 0; i < kRounds; ++i) round();
    least = std::min(least, allocated_bytes() - before);
    if (least <= 0) return {"memory does not grow with repeated use"};
  }
  throw ContractViolation(
      "at least " + std::to_string(least / kRounds) + " bytes stay behind each time that it is made, used and deleted",
      "look for new without delete, cycles of shared_ptr, static containers");
}

Json hash_of(const torch::Tensor& tensor) {
  const auto bytes = tensor.contiguous();
  return {{"hash", hash_hex({static_cast<const char*>(bytes.data_ptr()), bytes.nbytes()})}};
}

std::string duration(double seconds) {
  if (seconds < 1e-3) return format("%.1f us", seconds * 1e6);
  return seconds < 1 ? format("%.1f ms", seconds * 1e3) : format("%.1f s", seconds);
}

double median_s(int calls, const std::function<void()>& call) {
  std::vector<double> times;
  for (int i = 0; i < calls; ++i) {
    const auto start = std::chrono::steady_clock::now();
    call();
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::nth_element(times, times.begin() + calls / 2);
  return times[static_cast<std::size_t>(calls / 2)];
}

}  // namespace roclip::bench::conformance

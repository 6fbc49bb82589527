/// The one symbol that a plugin exports, and how a host decides whether it may use it.
///
/// Tensors and exceptions cross the boundary, so this is a C++ ABI: exact match or a clear refusal. Libraries are
/// never unloaded, since objects, exceptions and LibTorch registrations from them may live on.
/// Authors use ROCLIP_ATTACK, ROCLIP_DEFENSE or ROCLIP_METRIC and need nothing else from here.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include <torch/version.h>
#include <nlohmann/json.hpp>

#include "roclip/params.h"

#define ROCLIP_STRINGIFY_(x) #x
#define ROCLIP_STRINGIFY(x) ROCLIP_STRINGIFY_(x)

namespace roclip {

class Attack;
class Defense;
class Metric;

/// Raised whenever a header in this folder changes in a way that an old plugin would not survive.
inline constexpr std::uint32_t kAbi = 2;

/// What must be equal besides kAbi, or objects would have other layouts on the two sides.
inline constexpr const char* kBuildId =
    "torch-" TORCH_VERSION "/gxx-abi-" ROCLIP_STRINGIFY(__GXX_ABI_VERSION) "/cxx11-abi-" ROCLIP_STRINGIFY(
        _GLIBCXX_USE_CXX11_ABI) "/json-" ROCLIP_STRINGIFY(NLOHMANN_JSON_VERSION_MAJOR) "." ROCLIP_STRINGIFY(NLOHMANN_JSON_VERSION_MINOR);

enum class PluginKind : std::uint32_t { kAttack = 1, kDefense = 2, kMetric = 3 };

/// Read field by field from the front: abi, then build_id; the rest only when both match. Never reorder the first two.
struct PluginDescriptor {
  std::uint32_t abi;
  const char* build_id;
  PluginKind kind;
  const char* id;       ///< "badnets/1"
  const char* summary;  ///< one line
  /// ParamList::describe() of the defaults.
  Json (*describe)();
  /// @param params a JSON object. @return the fully defaulted parameters. @throws Error(kMatrix)
  Json (*effective)(const Json& params, const std::string& where);
  /// Exactly the one of `kind` is set. The caller owns the result. @throws Error(kMatrix)
  Attack* (*make_attack)(const Json& params);
  Defense* (*make_defense)(const Json& params);
  Metric* (*make_metric)(const Json& params);
};

/// Name of the exported symbol.
inline constexpr const char* kPluginSymbol = "roclip_plugin";

namespace detail {

template <class Class>
Json describe() {
  typename Class::Params params;
  ParamList list;
  params.declare(list);
  return list.describe();
}

template <class Class>
Json effective(const Json& json, const std::string& where) {
  typename Class::Params params;
  ParamList list;
  params.declare(list);
  list.assign(json, where);
  return list.values();
}

template <class Base, class Class>
Base* make(const Json& json) {
  typename Class::Params params;
  ParamList list;
  params.declare(list);
  list.assign(json, "parameters");
  return new Class(params);
}

/// make() for the base that Class has, null for the others.
template <class Base, class Class>
constexpr auto maker() -> Base* (*)(const Json&) {
  if constexpr (std::is_base_of_v<Base, Class>) {
    return &make<Base, Class>;
  } else {
    return nullptr;
  }
}

}  // namespace detail

/// Params of a plugin that has none.
struct NoParams {
  void declare(ParamList&) {}
};

}  // namespace roclip

#define ROCLIP_PLUGIN(KIND, Class, ID, SUMMARY)                                                     \
  extern "C" __attribute__((visibility("default"))) const ::roclip::PluginDescriptor roclip_plugin; \
  const ::roclip::PluginDescriptor roclip_plugin = {                                                \
      .abi = ::roclip::kAbi,                                                                        \
      .build_id = ::roclip::kBuildId,                                                               \
      .kind = KIND,                                                                                 \
      .id = ID,                                                                                     \
      .summary = SUMMARY,                                                                           \
      .describe = &::roclip::detail::describe<Class>,                                               \
      .effective = &::roclip::detail::effective<Class>,                                             \
      .make_attack = ::roclip::detail::maker<::roclip::Attack, Class>(),                            \
      .make_defense = ::roclip::detail::maker<::roclip::Defense, Class>(),                          \
      .make_metric = ::roclip::detail::maker<::roclip::Metric, Class>(),                            \
  };

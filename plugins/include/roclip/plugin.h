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
#define ROCLIP_ABI 3
inline constexpr std::uint32_t kAbi = ROCLIP_ABI;

/// What must be equal besides kAbi, or objects would have other layouts on the two sides: parts `name-version`.
#define ROCLIP_BUILD_ID                                                                                  \
  "torch-" TORCH_VERSION "/gxx-abi-" ROCLIP_STRINGIFY(__GXX_ABI_VERSION) "/cxx11-abi-" ROCLIP_STRINGIFY( \
      _GLIBCXX_USE_CXX11_ABI) "/json-" ROCLIP_STRINGIFY(NLOHMANN_JSON_VERSION_MAJOR) "." ROCLIP_STRINGIFY(NLOHMANN_JSON_VERSION_MINOR)
inline constexpr const char* kBuildId = ROCLIP_BUILD_ID;

/// The first bytes of a plugin's stamp: text in the file that says what the descriptor says, so that a host can list or
/// refuse a plugin without running any of its code. Lines `key value` follow, up to a zero byte.
#define ROCLIP_STAMP_MARK "\x7Froclip-plugin\n"

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
  return write_params(read_params<typename Class::Params>(json, where));
}

template <class Base, class Class>
Base* make(const Json& json) {
  return new Class(read_params<typename Class::Params>(json, "parameters"));
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

// KIND is kAttack, kDefense or kMetric; ID and SUMMARY are literals.
#define ROCLIP_PLUGIN(KIND, Class, ID, SUMMARY)                                                                   \
  extern "C" __attribute__((visibility("default"))) const char roclip_stamp[];                                    \
  __attribute__((used)) const char roclip_stamp[] =                                                               \
      ROCLIP_STAMP_MARK "abi " ROCLIP_STRINGIFY(ROCLIP_ABI) "\nbuild " ROCLIP_BUILD_ID "\nkind " #KIND "\nid " ID \
                                                            "\nsummary " SUMMARY "\n";                            \
  extern "C" __attribute__((visibility("default"))) const ::roclip::PluginDescriptor roclip_plugin;               \
  const ::roclip::PluginDescriptor roclip_plugin = {                                                              \
      .abi = ::roclip::kAbi,                                                                                      \
      .build_id = ::roclip::kBuildId,                                                                             \
      .kind = ::roclip::PluginKind::KIND,                                                                         \
      .id = ID,                                                                                                   \
      .summary = SUMMARY,                                                                                         \
      .describe = &::roclip::detail::describe<Class>,                                                             \
      .effective = &::roclip::detail::effective<Class>,                                                           \
      .make_attack = ::roclip::detail::maker<::roclip::Attack, Class>(),                                          \
      .make_defense = ::roclip::detail::maker<::roclip::Defense, Class>(),                                        \
      .make_metric = ::roclip::detail::maker<::roclip::Metric, Class>(),                                          \
  };

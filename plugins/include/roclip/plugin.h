/// The one symbol that a plugin exports, and how a host decides whether it may use it.
///
/// Tensors and exceptions cross the boundary, so this is a C++ ABI: exact match or a clear refusal. Libraries are
/// never unloaded, since objects, exceptions and LibTorch registrations from them may live on.
/// Authors use ROCLIP_ATTACK, ROCLIP_DEFENSE or ROCLIP_METRIC and need nothing else from here.
///
/// How a host takes a plugin, in this order; the first thing that does not fit ends it, with the reason in words:
/// 1. It reads the stamp out of the file, without loading it. Another ABI or build is refused here, before any code of
///    the library, its static objects included, can run. A library without a stamp gets no further than step 3.
/// 2. It loads the library with its symbols kept apart from those of other plugins. An undefined symbol is refused with
///    the dynamic linker's words.
/// 3. It reads the descriptor, `abi` first, since only an equal ABI says where the other fields stand.
/// 4. Of two plugins of one kind and name the one found first stays.
///
/// Ownership: the descriptor and its strings are static data of the library. What a maker returns belongs to the
/// caller, who deletes it while the library is loaded, that is, at any time.
/// Threads: a descriptor is constant. Its functions may be called from several threads at once, as long as the plugin's
/// Params and constructor touch no shared state.
/// Errors: functions of a descriptor throw Error(kMatrix) for parameters that the user got wrong. Anything else that
/// leaves a plugin is taken for its failure: it costs the cell, whose result then says what was thrown.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
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

/// Raised whenever a header in this folder changes in a way that an old plugin would not survive. 5: data are sources,
/// training is a list of stages, attacks state goals and may prepare an artifact, triggers take draws, metrics may give
/// values. 6: defenses may inspect inputs, or know the poisons as a control does. 7: a model gives the parts of images
/// and captions, too, and metrics may score models. 10: defenses hear how far their stage is, and may have a schedule
/// that is epochs ahead.
#define ROCLIP_ABI 10
inline constexpr std::uint32_t kAbi = ROCLIP_ABI;

/// What must be equal besides kAbi, or objects would have other layouts on the two sides: parts `name-version`.
#define ROCLIP_BUILD_ID                                                           \
  "torch-" TORCH_VERSION "/cuda-" ROCLIP_TORCH_CUDA                               \
  "/gxx-abi-" ROCLIP_STRINGIFY(__GXX_ABI_VERSION) "/cxx11-abi-" ROCLIP_STRINGIFY( \
      _GLIBCXX_USE_CXX11_ABI) "/json-" ROCLIP_STRINGIFY(NLOHMANN_JSON_VERSION_MAJOR) "." ROCLIP_STRINGIFY(NLOHMANN_JSON_VERSION_MINOR)
inline constexpr const char* kBuildId = ROCLIP_BUILD_ID;

/// The first bytes of a plugin's stamp: text in the file that says what the descriptor says, so that a host can list or
/// refuse a plugin without running any of its code. Lines `key value` follow, up to a zero byte.
#define ROCLIP_STAMP_MARK "\x7Froclip-plugin\n"

/// What a library holds: one of these. The numbers are part of the ABI.
enum class PluginKind : std::uint32_t { kAttack = 1, kDefense = 2, kMetric = 3 };

/// Read field by field from the front: abi, then build_id; the rest only when both match. Never reorder the first two.
struct PluginDescriptor {
  std::uint32_t abi;     ///< kAbi of the headers that the plugin was compiled with
  const char* build_id;  ///< ROCLIP_BUILD_ID of that compilation
  PluginKind kind;
  const char* id;       ///< "badnets/1": a name of [a-z0-9_], and a revision that rises when numbers change
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

/// Name of the exported symbol. It is data, not a function: reading it runs no code.
inline constexpr const char* kPluginSymbol = "roclip_plugin";

/// What ROCLIP_PLUGIN fills a descriptor with. Each function makes a fresh Params, so that a default is what the member
/// is initialised with, and nothing is kept between calls.
namespace detail {

/// Parameters as documentation: name, type, default, range, unit, what it is, where it is from.
template <class Class>
Json describe() {
  typename Class::Params params;
  ParamList list;
  params.declare(list);
  return list.describe();
}

/// What a matrix file says, checked, with every default filled in: this is hashed into the id of a cell.
template <class Class>
Json effective(const Json& json, const std::string& where) {
  return write_params(read_params<typename Class::Params>(json, where));
}

/// A new object from parameters that need not be complete. Class may check combinations in its constructor.
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

/// Whether this is a name of [a-z0-9_] that begins with a letter, a slash and a number.
constexpr bool is_plugin_id(std::string_view id) {
  constexpr auto kNone = std::string_view::npos;
  const auto slash = id.find('/');
  if (slash == kNone || slash == 0 || slash + 1 == id.size()) return false;
  return id[0] >= 'a' && id[0] <= 'z' && id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == slash &&
         id.find_first_not_of("0123456789", slash + 1) == kNone;
}

/// Params of a plugin that has none.
struct NoParams {
  void declare(ParamList&) {}
};

}  // namespace roclip

/// Defines the stamp and the descriptor. One source of a library has it once, outside of any namespace.
/// @param KIND kAttack, kDefense or kMetric. @param Class of the plugin, with a nested Params and a constructor from
/// it.
/// @param ID, SUMMARY string literals, since the stamp joins them when it is compiled; others than is_plugin_id() and a
/// line without end do not compile, for they would be read as something else
#define ROCLIP_PLUGIN(KIND, Class, ID, SUMMARY)                                                                   \
  static_assert(::roclip::is_plugin_id(ID), "an id is a name of a-z0-9_ and a revision: \"badnets/1\"");          \
  static_assert(::std::string_view(SUMMARY).find('\n') == ::std::string_view::npos, "a summary is one line");     \
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

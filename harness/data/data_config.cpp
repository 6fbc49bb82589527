#include "harness/data/data_config.h"

#include <algorithm>
#include <cctype>

#include <boost/algorithm/string/join.hpp>
#include <nlohmann/json.hpp>

#include "harness/data/data.h"
#include "harness/data/scenes_data.h"
#include "harness/data/transfer.h"
#include "harness/data/user_data.h"
#include "harness/record/checked_json.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr const char *kMean = "mean", *kTransfer = "transfer";

struct CleanShare {
  double share = 0;
  void declare(ParamList& list) {
    list.add("clean_share", share, Range{0, 1}, "1", "share of the training pairs that no attack may touch", "ours");
  }
};

}  // namespace

bool is_ours(const std::string& reader) { return reader == kEmoji || reader == kScenes || is_package_set(reader); }

double usual_clean_share(const std::string& reader) { return is_ours(reader) ? kOurCleanShare : 0; }

namespace {

/// What a data set is wanted for: to train on, or to evaluate on, where labelled images are enough.
enum class Use { kTraining, kEvaluating };

Json effective_set(const Json& data, const fs::path& base, const std::string& where, Use use) {
  Json object = data.is_string() ? Json{{"reader", data}} : data;
  const std::string key = data.is_string() ? where : where + "/reader";
  if (!object.is_object() || !object.contains("reader") || !object["reader"].is_string()) {
    throw Error(ErrorKind::kMatrix,
                where + R"(: expected "emoji" or an object {"reader": "csv", "pairs": ...}, got )" + data.dump());
  }
  const auto reader = object["reader"].get<std::string>();
  if (is_package_set(reader) && !has_pairs(reader)) {
    if (use == Use::kTraining) {
      throw Error(ErrorKind::kMatrix, key + ": \"" + reader +
                                          "\" has labelled images only, nothing to train on; evaluate on it: " +
                                          R"({"train": ..., "evaluate": [")" + reader + "\"]}");
    }
    if (object.size() > 1) {
      throw Error(ErrorKind::kMatrix, where + ": \"" + reader + "\" has no other keys, got " + object.dump());
    }
    return object;
  }
  CleanShare trusted{usual_clean_share(reader)};
  if (object.contains("clean_share")) {
    trusted = read_params(Json{{"clean_share", object["clean_share"]}}, where, trusted);
    object.erase("clean_share");
  }
  const auto effective = [&](Json rest) {
    rest["clean_share"] = trusted.share;
    return rest;
  };
  if (is_user_reader(reader)) return effective(effective_user_data(object, base, where));
  if (!is_ours(reader)) {
    std::vector<std::string> known = {kEmoji, kScenes};
    for (const auto& name : package_sets()) {
      if (use == Use::kEvaluating || has_pairs(name)) known.push_back(name);
    }
    known.insert(known.end(), {"csv", "webdataset"});
    throw Error(ErrorKind::kMatrix, key + ": unknown data set \"" + reader + "\"" + did_you_mean(reader, known) +
                                        " (known: " + boost::join(known, ", ") + ")");
  }
  if (reader == kScenes) return effective(effective_scenes(object, where));
  if (object.size() > 1) {
    throw Error(ErrorKind::kMatrix,
                where + ": \"" + reader + "\" has no other keys than \"clean_share\", got " + object.dump());
  }
  return effective(object);
}

/// {"name": set, ...}, a list of names of our own, or "transfer".
Json effective_evaluate(const Json& evaluate, const fs::path& base, const std::string& where) {
  Json sets = evaluate == kTransfer ? Json(kTransferSets) : evaluate;
  if (sets.is_array()) {
    const Json names = sets;
    sets = Json::object();
    for (const Json& name : names) sets[name.is_string() ? name.get<std::string>() : name.dump()] = name;
  }
  if (!sets.is_object() || sets.empty()) {
    throw Error(ErrorKind::kMatrix,
                where +
                    R"(: expected sets of labelled images by name, such as {"cifar10": )"
                    R"({"labelled": "test_batch.bin"}}, names such as ["emoji"], or "transfer", got )" +
                    evaluate.dump());
  }
  Json effective;
  for (const auto& [name, set] : sets.items()) {
    const auto allowed = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; };
    if (name.empty() || !std::ranges::all_of(name, allowed) || name == kMean || name == kTrain) {
      throw Error(ErrorKind::kMatrix, where +
                                          ": expected a name of letters, digits, - and _, not \"train\" or \"mean\"," +
                                          " got " + Json(name).dump());
    }
    const auto own = where + "/" + name;
    const bool user = set.is_object() && (!set.contains("reader") || set["reader"] == "labelled");
    effective[name] = user ? effective_labelled(set, name, base, own) : effective_set(set, base, own, Use::kEvaluating);
  }
  return effective;
}

bool has_labelled(const Json& set) { return !set.contains("labelled") || set.at("labelled") != ""; }

}  // namespace

Json effective_data(const Json& data, const fs::path& base, const std::string& where) {
  if (!data.is_object() || (!data.contains(kTrain) && !data.contains("evaluate"))) {
    return effective_set(data, base, where, Use::kTraining);
  }
  const CheckedJson json(data, where, /*next_step=*/"", ErrorKind::kMatrix);
  json.only_keys({kTrain, "evaluate", "attacked"});
  Json effective = {{kTrain, effective_set(json.at(kTrain).json(), base, where + "/train", Use::kTraining)},
                    {"evaluate", effective_evaluate(json.at("evaluate").json(), base, where + "/evaluate")},
                    {"attacked", json.has("attacked") ? json.at("attacked").text() : ""}};
  const Json& sets = effective["evaluate"];
  Json& attacked = effective["attacked"];
  std::vector<std::string> names;
  for (const auto& [name, set] : sets.items()) names.push_back(name);
  if (attacked == "" && !has_labelled(effective[kTrain]) && names.size() == 1) attacked = names[0];
  if (attacked == "" ? !has_labelled(effective[kTrain]) : !sets.contains(attacked.get<std::string>())) {
    throw Error(ErrorKind::kMatrix, where +
                                        "/attacked: expected the set that attacks draw their targets from, one of " +
                                        boost::join(names, ", ") + ", got " + attacked.dump());
  }
  return effective;
}

std::vector<Json> sets_named(const std::string& name) {
  std::vector<Json> sets;
  if (name != kTransfer) return {effective_set(name, ".", "data", Use::kEvaluating)};
  for (const char* each : kTransferSets) sets.push_back(effective_set(each, ".", "data", Use::kEvaluating));
  return sets;
}

std::vector<std::pair<std::string, Json>> sets_of(const Json& effective) {
  if (!effective.contains(kTrain)) return {{kTrain, effective}};
  std::vector<std::pair<std::string, Json>> sets = {{kTrain, effective.at(kTrain)}};
  for (const auto& [name, set] : effective.at("evaluate").items()) sets.emplace_back(name, set);
  return sets;
}

}  // namespace roclip::bench

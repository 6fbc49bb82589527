/// Reading JSON files whose shape is not to be trusted: matrix files, gates, results, statuses, claims.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "roclip/error.h"

namespace roclip::bench {

using Json = nlohmann::json;

/// A place in a JSON document. Whatever has another shape than it is read as is one Error, which names the file, the
/// key, what was expected, what was found and what to do.
class CheckedJson {
 public:
  /// A document, or a part of one, which must outlive this. @param where its file, or file and place:
  /// "matrix.json: /gates". @param next_step end of every message, "" = none
  CheckedJson(const Json& document, std::string where, std::string next_step, ErrorKind kind = ErrorKind::kData);

  const Json& json() const { return *json_; }
  bool is_null() const { return json_->is_null(); }
  /// @pre an object
  bool has(const std::string& key) const;
  /// A member that must be there. @throws Error
  CheckedJson at(const std::string& key) const;
  /// A member that may be missing: null then.
  CheckedJson get(const std::string& key) const;
  std::vector<CheckedJson> items() const;
  std::vector<std::pair<std::string, CheckedJson>> members() const;

  std::string text() const;
  /// "" for null.
  std::string text_or_null() const;
  bool boolean() const;
  std::int64_t integer(std::int64_t least = std::numeric_limits<std::int64_t>::min()) const;
  double number(double least = std::numeric_limits<double>::lowest(),
                double most = std::numeric_limits<double>::max()) const;
  std::vector<std::int64_t> integers() const;
  /// An object as it is, for what other code checks.
  const Json& object() const;
  /// A path that stays below the folder it is relative to.
  std::string path_below() const;
  /// The entry of `words` that this names; its index.
  std::size_t one_of(const std::vector<std::string>& words) const;

  /// An object without other keys. @throws Error that names the nearest of them
  void only_keys(const std::vector<std::string>& known) const;
  /// "schema_version" is the one that this program knows. @throws Error
  void check_version(int known) const;
  [[noreturn]] void refuse(const std::string& expected) const;
  /// The same with other words than "expected ..., got ...". @throws Error
  [[noreturn]] void fail(const std::string& what) const;

 private:
  struct Document {
    std::string next_step;
    ErrorKind kind;
  };
  CheckedJson(const Json& json, std::shared_ptr<const Document> document, std::string where)
      : json_(&json), document_(std::move(document)), where_(std::move(where)) {}
  CheckedJson below(const std::string& key, const Json& json) const;

  const Json* json_;
  std::shared_ptr<const Document> document_;
  std::string where_;  ///< "results.json: /cells/3/id"
};

}  // namespace roclip::bench

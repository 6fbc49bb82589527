/// Data sets: those that come with the program or with Debian packages, and the user's own tables of images and
/// captions. README.md tells what they hold.
///
/// A data set is prepared once into one packed file in the cache (pack.h) and memory-mapped from then on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/record/progress.h"
#include "roclip/dataset.h"
#include "roclip/params.h"

namespace roclip::bench {

/// Validates the "data" value of a matrix file and fills in all defaults.
/// @param data a name ("emoji"), an object ({"reader": "csv", ...}), or {"train": one of these, "evaluate": {name: sets
/// of labelled images}, "attacked": name}; an effective value passes unchanged. "evaluate" may be a list of names of
/// our own, or "transfer", which is short for kTransferSets.
/// @param base folder of the matrix file: what relative paths are relative to.
/// @param where front of the messages, "matrix.json: /data". @throws Error(kMatrix)
Json effective_data(const Json& data, const std::filesystem::path& base, const std::string& where);

/// What "transfer" is short for: sets that a model was not trained on, for zero-shot accuracy and linear probes.
inline constexpr const char* kTransferSets[] = {"emoji", "openclipart", "tuxpaint", "fashion-mnist", "iso-flags"};
/// The sets that a name on the command line means: one, which may be of labelled images alone, or all of "transfer".
/// @throws Error(kMatrix)
std::vector<Json> sets_named(const std::string& name);

/// The data sets that an effective value is made of, by name: "train", and each set of "evaluate".
std::vector<std::pair<std::string, Json>> sets_of(const Json& effective);

/// Share of the trusted pairs of our own data sets, unless the matrix says otherwise; of the user's data it is 0.
inline constexpr double kOurCleanShare = 0.05;
/// The trusted pairs of a training set, for defenses that need some: no attack may touch them. All cells of all seeds
/// trust the same pairs, so that stored poisons of any seed leave them alone.
/// @param share parameter "clean_share" of a matrix file's data. @return indices of round(share * pairs) training
/// pairs, ascending, drawn from a fixed stream; a larger share contains a smaller one. @pre pairs >= 0 and 0 <= share
/// <= 1
std::vector<std::int64_t> clean_subset(std::int64_t pairs, double share);

/// Makes sure that the packed file exists and that its checksum is right; prepares it (again) otherwise. Tells what was
/// left out of it. Safe when several processes do it at once or when one is killed.
/// @param set one of sets_of() @return the packed file. @throws Error(kData)
std::filesystem::path prepare_data(const Json& set, const Progress& progress);

/// Where prepare_data() puts it, or the folder of an encoded data set. @param set one of sets_of()
std::filesystem::path prepared_file(const Json& set);

/// What the data set holds, as a hash: the same wherever its files lie and whenever they were written. Reads all files
/// of a data set that is not prepared. @throws Error(kData)
std::string content_id(const Json& effective);

/// Whether the packed files are there; they may still turn out damaged.
bool is_prepared(const Json& effective);

/// A data set, and what the result of a cell states of it: {"hash", "pairs", "rows": {table: how many it has},
/// "left_out": [{"table", "reason", "count", "first" names}]}. Rows and tables are those of the user's own data.
struct LoadedData : Dataset {
  Json record;
  /// The sets of "evaluate" that no attack is about, by name: their images, labels and classes beside the same pairs.
  /// The record has "evaluate": {name: what it states of that set}.
  std::map<std::string, Dataset> evaluate = {};
};
/// Opens the data set and verifies it, preparing it if needed. The images are the mapped file itself where it has this
/// resolution, area means of it otherwise. @throws Error(kData)
LoadedData load_data(const Json& effective, std::int64_t image_px, const Progress& progress);

/// A line for each reason for which something was left out, with counts and the first names. @param record as
/// LoadedData has it
std::vector<std::string> left_out_lines(const Json& record);

/// Makes sure that the Debian packages which these sets are read from are installed. @param sets of sets_of()
/// @throws Error(kData) that names all missing ones and the command that installs them
void expect_installed(const std::vector<Json>& sets);

/// The data sets that need nothing but their names: [{"name", "summary", "prepared", "file", "pairs", "held_out",
/// "classes"}], counts 0 unless prepared; "file" is "" where the package that the set is read from is not installed.
Json list_data();

/// The packed files in the cache: [{"file", "bytes", "last_used" in seconds since 1970, "data": name of the data set,
/// "image_px", 0 for encoded images, "images"}].
Json list_packs();

/// Draws `count` images of a split with their captions and classes, chosen by `seed`, into a PNG file.
/// @param split "train" or "held_out". @throws Error(kUsage) for another split, Error(kData) if it cannot be written.
void write_contact_sheet(const Dataset& data, const std::string& split, std::int64_t count, std::uint64_t seed,
                         const std::filesystem::path& png);

}  // namespace roclip::bench

/// The one exception type of this project, and what it means for the process that meets it.
#pragma once

#include <stdexcept>
#include <string>

namespace roclip {

/// Whose mistake it was. The numbers are the documented exit codes of `roclip-bench`; never change an entry.
enum class ErrorKind : int {
  kInternal = 1,  ///< a bug in this program
  kUsage = 2,     ///< the command line
  kMatrix = 3,    ///< the matrix file, or a plugin parameter in it
  kEmpty = 4,     ///< nothing was selected
  kPlugin = 5,    ///< a library that is missing, of another ABI, or misbehaves
  kData = 6,      ///< images, captions, caches, outputs: anything on disk
};

/// Thrown for everything that ends a command or a cell. The message is shown to a person as it is, so it names the
/// file, the key, what was expected, what was found, and the next step. Safe to throw out of a plugin.
class __attribute__((visibility("default"))) Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
};

/// Thrown at the first loss that is not finite. The cell ends with status "diverged".
class __attribute__((visibility("default"))) Diverged : public Error {
 public:
  explicit Diverged(const std::string& message) : Error(ErrorKind::kInternal, message) {}
};

}  // namespace roclip

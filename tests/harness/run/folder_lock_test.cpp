#include <csignal>

#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include "harness/run/folder_lock.h"
#include "roclip/error.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

TEST_CASE("a folder is locked by one process at a time, and says which", "[run]") {
  const ScratchFolder folder;
  CHECK_FALSE(FolderLock::holder(folder.path()));
  {
    const FolderLock lock(folder.path());
    CHECK(FolderLock::holder(folder.path()).value().find("process " + std::to_string(::getpid())) == 0);
    CHECK_THROWS_WITH(FolderLock(folder.path()),
                      Contains("another run, process " + std::to_string(::getpid())) && Contains("--out"));
  }
  CHECK_FALSE(FolderLock::holder(folder.path()));
  CHECK_NOTHROW(FolderLock(folder.path()));
}

TEST_CASE("the lock of a process that was killed is free", "[run]") {
  const ScratchFolder folder;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const FolderLock lock(folder.path());
    if (::write(ready[1], "x", 1) == 1) ::pause();
    ::_exit(1);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK(FolderLock::holder(folder.path()));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK_FALSE(FolderLock::holder(folder.path()));
  CHECK_NOTHROW(FolderLock(folder.path()));
}

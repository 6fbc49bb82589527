#include "harness/conformance/file_watch.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

namespace roclip::bench::conformance {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kMachine = AUDIT_ARCH_X86_64;
constexpr std::array kArguments{REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8};
long argument(const ucontext_t& context, int i) {
  return context.uc_mcontext.gregs[kArguments[static_cast<std::size_t>(i)]];
}
void set_result(ucontext_t& context, long value) { context.uc_mcontext.gregs[REG_RAX] = value; }
#elif defined(__aarch64__)
constexpr std::uint32_t kMachine = AUDIT_ARCH_AARCH64;
long argument(const ucontext_t& context, int i) { return static_cast<long>(context.uc_mcontext.regs[i]); }
void set_result(ucontext_t& context, long value) {
  context.uc_mcontext.regs[0] = static_cast<unsigned long long>(value);
}
#else
constexpr std::uint32_t kMachine = 0;
long argument(const ucontext_t&, int) { return 0; }
void set_result(ucontext_t&, long) {}
#endif

constexpr int kNone = -1, kAlways = -1, kNever = -2, kInStruct = -3;

/// A system call that names a file: which of its arguments say what.
struct NamedFile {
  long number;
  const char* name;
  int folder;  ///< descriptor of the folder, or kNone
  int path;
  int flags;  ///< of open(2), from which follows whether it writes; or kAlways, kNever, kInStruct
};
constexpr NamedFile kCalls[] = {
#ifdef SYS_open
    {SYS_open, "open", kNone, 0, 1},
    {SYS_creat, "creat", kNone, 0, kAlways},
    {SYS_unlink, "unlink", kNone, 0, kAlways},
    {SYS_rename, "rename", kNone, 0, kAlways},
    {SYS_mkdir, "mkdir", kNone, 0, kAlways},
    {SYS_rmdir, "rmdir", kNone, 0, kAlways},
    {SYS_link, "link", kNone, 1, kAlways},
    {SYS_symlink, "symlink", kNone, 1, kAlways},
    {SYS_mknod, "mknod", kNone, 0, kAlways},
    {SYS_chmod, "chmod", kNone, 0, kAlways},
    {SYS_chown, "chown", kNone, 0, kAlways},
#endif
#ifdef SYS_renameat
    {SYS_renameat, "renameat", 0, 1, kAlways},
#endif
    {SYS_openat, "openat", 0, 1, 2},
    {SYS_openat2, "openat2", 0, 1, kInStruct},
    {SYS_unlinkat, "unlinkat", 0, 1, kAlways},
    {SYS_renameat2, "renameat2", 0, 1, kAlways},
    {SYS_mkdirat, "mkdirat", 0, 1, kAlways},
    {SYS_linkat, "linkat", 2, 3, kAlways},
    {SYS_symlinkat, "symlinkat", 1, 2, kAlways},
    {SYS_truncate, "truncate", kNone, 0, kAlways},
    {SYS_mknodat, "mknodat", 0, 1, kAlways},
    {SYS_fchmodat, "fchmodat", 0, 1, kAlways},
    {SYS_fchownat, "fchownat", 0, 1, kAlways},
    {SYS_execve, "execve", kNone, 0, kNever},
    {SYS_execveat, "execveat", 0, 1, kNever},
};

/// The sixth argument of a call that the handler makes itself. None of kCalls has so many.
constexpr std::uint64_t kPass = 0x726f636c69702d6bULL;

struct Record {
  const char* by;
  const char* what;
  bool writes;
  std::array<char, 512> path;
};
std::array<Record, 8192> records;
std::atomic<int> recorded{0}, watched{0};
std::atomic<const char*> current{nullptr};

// Only what a signal handler may do: no allocation, no lock.
void record(const NamedFile& call, const ucontext_t& context, const char* by) {
  const int place = recorded.fetch_add(1);
  if (place >= static_cast<int>(records.size())) return;
  Record& entry = records[static_cast<std::size_t>(place)];
  entry.by = by;
  entry.what = call.name;
  entry.writes = call.flags == kAlways;
  if (call.flags >= 0 || call.flags == kInStruct) {
    const auto* how = call.flags == kInStruct ? reinterpret_cast<const std::uint64_t*>(argument(context, 2)) : nullptr;
    const auto flags = how != nullptr ? static_cast<long>(*how) : argument(context, call.flags);
    entry.writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
  }
  const auto* path = reinterpret_cast<const char*>(argument(context, call.path));
  std::size_t length = 0;
  const auto folder = call.folder == kNone ? AT_FDCWD : static_cast<int>(argument(context, call.folder));
  if (path != nullptr && path[0] != '/' && folder != AT_FDCWD) {
    std::array<char, 32> link{"/proc/self/fd/"};
    std::array<char, 12> digits{};
    std::size_t count = 0;
    for (int rest = folder; count == 0 || rest > 0; rest /= 10) digits[count++] = static_cast<char>('0' + rest % 10);
    for (std::size_t at = std::strlen(link.data()); count > 0;) link[at++] = digits[--count];
    const auto got = ::readlink(link.data(), entry.path.data(), entry.path.size() - 2);
    length = got > 0 ? static_cast<std::size_t>(got) : 0;
    if (length > 0) entry.path[length++] = '/';
  }
  while (path != nullptr && *path != 0 && length + 1 < entry.path.size()) entry.path[length++] = *path++;
  entry.path[length] = 0;
}

void on_file_call(int, siginfo_t* info, void* pointer) {
  const int kept_errno = errno;
  auto& context = *static_cast<ucontext_t*>(pointer);
  if (const char* by = current.load(); by != nullptr) {
    for (const auto& call : kCalls) {
      if (call.number == info->si_syscall) record(call, context, by);
    }
  }
  const long result = ::syscall(info->si_syscall, argument(context, 0), argument(context, 1), argument(context, 2),
                                argument(context, 3), argument(context, 4), kPass);
  set_result(context, result == -1 ? -errno : result);
  errno = kept_errno;
}

sock_filter load(std::size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
sock_filter if_equal(std::uint64_t value, std::size_t then_skip, std::size_t else_skip) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(value), static_cast<std::uint8_t>(then_skip),
                  static_cast<std::uint8_t>(else_skip));
}
sock_filter end(std::uint32_t verdict) { return BPF_STMT(BPF_RET | BPF_K, verdict); }

/// Traps the calls of kCalls, unless they come from the handler.
std::vector<sock_filter> filter() {
  constexpr auto kSixth = offsetof(seccomp_data, args) + 5 * sizeof(std::uint64_t);
  std::vector<sock_filter> program = {load(offsetof(seccomp_data, arch)), if_equal(kMachine, 1, 0),
                                      end(SECCOMP_RET_ALLOW), load(offsetof(seccomp_data, nr))};
  for (std::size_t left = std::size(kCalls); left > 0; --left) {
    program.push_back(if_equal(static_cast<std::uint64_t>(kCalls[left - 1].number), left, 0));
  }
  program.push_back(end(SECCOMP_RET_ALLOW));
  program.insert(program.end(), {load(kSixth), if_equal(kPass & 0xffffffff, 0, 2), load(kSixth + 4),
                                 if_equal(kPass >> 32, 1, 0), end(SECCOMP_RET_TRAP), end(SECCOMP_RET_ALLOW)});
  return program;
}

}  // namespace

bool saw_all_files() { return recorded <= static_cast<int>(records.size()); }

bool started_a_process() {
  rusage of_children{};
  ::getrusage(RUSAGE_CHILDREN, &of_children);
  return of_children.ru_minflt > 0 || ::waitpid(-1, nullptr, WNOHANG) >= 0;
}

bool install_file_watch() {
  if (kMachine == 0) return false;
  struct sigaction action {};
  action.sa_sigaction = &on_file_call;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
  sigset_t trapped;
  ::sigemptyset(&trapped);
  ::sigaddset(&trapped, SIGSYS);
  auto program = filter();
  const sock_fprog handed{static_cast<unsigned short>(program.size()), program.data()};
  return ::sigaction(SIGSYS, &action, nullptr) == 0 && ::sigprocmask(SIG_UNBLOCK, &trapped, nullptr) == 0 &&
         ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &handed) == 0;
}

WatchedCall::WatchedCall(const char* name) : outer_(current.exchange(name)) { ++watched; }
WatchedCall::~WatchedCall() { current = outer_; }

std::vector<FileCall> file_calls() {
  std::vector<FileCall> calls;
  for (std::size_t i = 0; i < records.size() && static_cast<int>(i) < recorded; ++i) {
    calls.push_back({records[i].by, records[i].what, records[i].path.data(), records[i].writes});
  }
  return calls;
}

int watched_calls() { return watched; }

}  // namespace roclip::bench::conformance

#include "harness/run/worker.h"

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <iostream>
#include <iterator>

#include <fcntl.h>
#include <malloc.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/record/files.h"
#include "harness/run/cell.h"
#include "registry.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

constexpr int kEvents = 3;  // the child's descriptor for events

Json to_json(const Cell& cell) {
  return {{"id", cell.id},     {"attack", cell.attack},       {"defense", cell.defense},
          {"seed", cell.seed}, {"requested", cell.requested}, {"config", cell.config}};
}

Cell cell_from_json(const Json& json) {
  return {json.at("id"),   json.at("attack"),    json.at("defense"),
          json.at("seed"), json.at("requested"), json.at("config")};
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;  // the parent is gone, and prctl() ends us
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

[[noreturn]] void fail(const std::string& what, int error) {
  throw Error(ErrorKind::kInternal, "cannot start a worker: " + what + ": " + std::strerror(error));
}

/// The last lines of a log, for an error message.
std::string tail(const std::filesystem::path& file) {
  constexpr std::size_t kLongest = 500;
  std::string text;
  try {
    text = read_file(file);
  } catch (const Error&) {
    return "";
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.size() > kLongest) text = text.substr(text.find('\n', text.size() - kLongest) + 1);
  return text;
}

/// Threads of the BLAS are decided before main(), so the environment of the child has to say it.
std::vector<std::string> single_threaded_environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable; ++variable) {
    const std::string text = *variable;
    if (text.rfind("OMP_NUM_THREADS=", 0) && text.rfind("OPENBLAS_NUM_THREADS=", 0)) variables.push_back(text);
  }
  variables.emplace_back("OMP_NUM_THREADS=1");
  variables.emplace_back("OPENBLAS_NUM_THREADS=1");
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

int worker_main(const WorkerOptions& options) {
  // Activations come and go every step; handing them back to the kernel each time costs 15 % of a step (tiny, CPU).
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, INT_MAX);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a supervisor that is killed takes its workers along
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  const Cell cell = cell_from_json(Json::parse(input));
  const Registry registry(plugin_search_path(options.plugin_path));
  const Json record =
      run_cell_recorded(cell, registry, parse_device(options.device), options.out, [](const TrainProgress& p) {
        const Json event = {{"epoch", p.epoch}, {"epochs", p.epochs}, {"step", p.step},
                            {"steps", p.steps}, {"loss", p.loss},     {"pairs_per_s", p.pairs_per_s}};
        write_all(kEvents, event.dump() + "\n");
      });
  write_all(kEvents, Json{{"record", record}}.dump() + "\n");
  return record.at("status") == "ok" ? 0 : 10;
}

Worker::Worker(const Cell& cell, const WorkerOptions& options) : cell_(&cell), out_(options.out) {
  std::array<int, 2> input{}, events{};
  if (::pipe2(input.data(), O_CLOEXEC) != 0 || ::pipe2(events.data(), O_CLOEXEC) != 0) fail("pipe", errno);
  std::vector<std::string> arguments = {"roclip-bench", "worker", "--device",
                                        options.device, "--out",  options.out.root.string()};
  for (const auto& folder : options.plugin_path) {
    arguments.emplace_back("--plugin-path");
    arguments.push_back(folder.string());
  }
  auto variables = single_threaded_environment();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_.log_file(cell.id).c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, events[1], kEvents);
  const int error =
      ::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, pointers(arguments).data(), pointers(variables).data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(input[0]);
  ::close(events[1]);
  events_ = events[0];
  if (error != 0) {
    ::close(input[1]);
    ::close(events_);
    fail("posix_spawn", error);
  }
  write_all(input[1], to_json(cell).dump());
  ::close(input[1]);
}

Worker::~Worker() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (events_ >= 0) ::close(events_);
}

std::vector<Worker::Event> Worker::read() {
  std::array<char, 65536> chunk;
  const auto got = ::read(events_, chunk.data(), chunk.size());
  if (got < 0) return {};
  std::vector<Event> result;
  if (got == 0) {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    result.push_back({std::nullopt, record_.is_null() ? record_of_the_dead(status) : record_});
    return result;
  }
  buffer_.append(chunk.data(), static_cast<std::size_t>(got));
  for (auto end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n')) {
    const Json event = Json::parse(buffer_.substr(0, end), nullptr, /*allow_exceptions=*/false);
    buffer_.erase(0, end + 1);
    if (!event.is_object()) continue;  // a plugin wrote to a descriptor that is not its own
    if (event.contains("record")) {
      record_ = event.at("record");
    } else if (event.contains("step")) {
      result.push_back({TrainProgress{event.at("epoch"), event.at("epochs"), event.at("step"), event.at("steps"),
                                      event.at("loss"), event.at("pairs_per_s")},
                        nullptr});
    }
  }
  return result;
}

Json Worker::record_of_the_dead(int wait_status) const {
  std::string reason;
  if (WIFSIGNALED(wait_status)) {
    reason = "the worker was ended by signal " + std::to_string(WTERMSIG(wait_status)) + " (" +
             ::strsignal(WTERMSIG(wait_status)) + ")";
  } else {
    reason = "the worker exited with code " + std::to_string(WEXITSTATUS(wait_status)) + " without a result";
  }
  const std::string output = tail(out_.log_file(cell_->id));
  if (!output.empty()) reason += "; its last output: " + output;
  const Json record = cell_record(*cell_, Status::kCrashed, reason);
  try {
    write_json(out_.cell_file(cell_->id), record);
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.what());  // the matrix result has it all the same
  }
  return record;
}

}  // namespace roclip::bench

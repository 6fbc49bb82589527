#include "harness/model/ranks.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <optional>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>
#include <torch/utils.h>

#define USE_C10D_GLOO  // LibTorch's headers ask for it; its libraries have it
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "harness/model/nccl.h"
#include "harness/record/signals.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

using Function = std::function<torch::Tensor(const torch::Tensor&)>;
using Clock = std::chrono::steady_clock;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// How long ranks that have lost another wait for each other's word.
constexpr std::chrono::milliseconds kRollCall = std::chrono::seconds(10);
constexpr std::int64_t kNone = -2;  // number of no work

std::chrono::milliseconds patience(const RankPlace& place) {
  return std::chrono::milliseconds(std::llround(place.patience_s * 1000));
}

/// Of LibTorch's errors, without the stack.
std::string message_of(const std::exception& error) {
  const auto* of_torch = dynamic_cast<const c10::Error*>(&error);
  return of_torch != nullptr ? of_torch->what_without_backtrace() : error.what();
}

std::string text_of(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }
std::vector<std::uint8_t> buffer_of(const std::string& text) { return {text.begin(), text.end()}; }

std::string meeting_place(const RankPlace& place) { return place.address + ":" + std::to_string(place.port); }

/// The numeric address from which this machine speaks to another.
std::string address_towards(const RankPlace& place) {
  const auto fail = [&](const std::string& why) {
    throw RanksLost("no way to " + meeting_place(place) + ", where the ranks meet: " + why);
  };
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  const int unknown = ::getaddrinfo(place.address.c_str(), std::to_string(place.port).c_str(), &hints, &found);
  if (unknown != 0) fail(::gai_strerror(unknown));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  const Descriptor socket(::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  auto* address = reinterpret_cast<sockaddr*>(&own);
  char text[NI_MAXHOST];
  if (::connect(socket.get(), found->ai_addr, found->ai_addrlen) != 0 ||
      ::getsockname(socket.get(), address, &length) != 0 ||
      ::getnameinfo(address, length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) {
    fail(std::strerror(errno));
  }
  return text;
}

std::shared_ptr<::gloo::transport::Device> network_device(const RankPlace& place) {
  if (const char* interface = std::getenv("GLOO_SOCKET_IFNAME")) {
    return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  }
  return c10d::ProcessGroupGloo::createDeviceForHostname(address_towards(place));
}

/// A function and what its gradient goes through.
struct Both : torch::CustomClassHolder {
  Function forward, backward;
};
struct Differentiable : torch::autograd::Function<Differentiable> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, const c10::intrusive_ptr<Both>& both) {
    context->saved_data["both"] = c10::IValue::make_capsule(both);
    return both->forward(x);
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto both = context->saved_data["both"].toCapsule();
    return {static_cast<const Both&>(*both).backward(grads[0]), torch::Tensor()};
  }
};
torch::Tensor differentiable(const torch::Tensor& x, Function forward, Function backward) {
  auto both = c10::make_intrusive<Both>();
  both->forward = std::move(forward);
  both->backward = std::move(backward);
  return Differentiable::apply(x, both);
}

}  // namespace

struct Meeting::Store {
  c10::intrusive_ptr<c10d::TCPStore> tcp;
};

Meeting::Meeting(const RankPlace& place) : place_(place), store_(std::make_unique<Store>()) { connect(); }
Meeting::~Meeting() = default;

void Meeting::connect() {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(place_.port);
  options.isServer = place_.rank == 0 && !place_.has_host;
  options.waitWorkers = false;
  options.timeout = patience(place_);
  const auto without_libuv = [](auto& of) {  // Debian 13's LibTorch is built without it; older ones have no such option
    if constexpr (requires { of.useLibUV; }) of.useLibUV = false;
  };
  without_libuv(options);
  try {
    store_->tcp.reset();
    store_->tcp = c10::make_intrusive<c10d::TCPStore>(place_.address, options);
  } catch (const std::exception& e) {
    throw RanksLost("rank 0 cannot " + std::string(options.isServer ? "listen on " : "be reached at ") +
                    meeting_place(place_) + ": " + message_of(e));
  }
}

void Meeting::announce(std::int64_t number, const std::string& work) {
  store_->tcp->set("work", buffer_of(std::to_string(number) + "\n" + work));
}

void Meeting::dismiss() {
  announce(kNone, "");
  std::vector<std::string> gone;
  for (int rank = 1; rank < place_.size; ++rank) gone.push_back("gone " + std::to_string(rank));
  try {
    store_->tcp->wait(gone, kRollCall);
  } catch (const std::exception&) {  // whoever does not hear it finds nobody here
  }
}

std::pair<std::int64_t, std::string> Meeting::await(std::int64_t last) {
  constexpr auto kPause = std::chrono::milliseconds(100);
  for (;; std::this_thread::sleep_for(kPause)) {
    try {
      if (!store_->tcp->check({"work"})) continue;
      const auto text = text_of(store_->tcp->get("work"));
      const auto end = text.find('\n');
      const std::int64_t number = std::stoll(text.substr(0, end));
      if (number == last) continue;
      const auto work = text.substr(end + 1);
      if (work.empty()) store_->tcp->set("gone " + std::to_string(place_.rank), buffer_of("1"));
      return {number, work};
    } catch (const std::exception&) {  // whoever listened there has ended: the next one comes, or nobody
      connect();
    }
  }
}

struct Ranks::Group {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
  c10::intrusive_ptr<CollectiveBackend> nccl;  ///< null: Gloo does all
};

Ranks::Ranks(Meeting& meeting, const RankPlace& place, std::int64_t work)
    : place_(place), group_(std::make_unique<Group>()) {
  group_->store = c10::make_intrusive<c10d::PrefixStore>("work " + std::to_string(work), meeting.store_->tcp);
  group_->store->setTimeout(patience(place));
  auto options = c10d::ProcessGroupGloo::Options::create(patience(place));
  options->devices.push_back(network_device(place));
  done([&] {
    group_->gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(group_->store, place.rank, place.size, options);
  });
}
Ranks::Ranks() = default;
Ranks::~Ranks() = default;

const Ranks& Ranks::alone() {
  static const Ranks alone;
  return alone;
}

std::string Ranks::use_nccl(const std::filesystem::path& library, const std::string& gpu) const {
  char machine[HOST_NAME_MAX + 1] = {};
  ::gethostname(machine, HOST_NAME_MAX);
  const auto name = static_cast<std::int64_t>(std::hash<std::string>()(std::string(machine) + " " + gpu));
  const auto names = std::get<0>(at::_unique(gathered(torch::full({1}, name, torch::kLong))));
  if (names.numel() < size()) return "two ranks have the same GPU";
  if (any(!std::filesystem::exists(library))) return "this build has no NCCL";
  void* handle = ::dlopen(library.c_str(), RTLD_NOW);
  const auto make = handle != nullptr ? reinterpret_cast<MakeNccl>(::dlsym(handle, kMakeNccl)) : nullptr;
  if (make == nullptr) throw Error(ErrorKind::kInternal, "NCCL cannot be used: " + std::string(::dlerror()));
  const auto store = c10::make_intrusive<c10d::PrefixStore>("nccl", group_->store);
  done([&] { group_->nccl = make(store, place_.rank, place_.size, patience(place_)); });
  return "";
}

CollectiveBackend& Ranks::network_of(const torch::Tensor& tensor) const {
  if (group_->nccl && !tensor.is_cpu()) return *group_->nccl;
  return *group_->gloo;
}

torch::Tensor Ranks::shared_out(const Function& f, const torch::Tensor& input) const {
  if (size() == 1) return f(input);
  const auto count = input.size(0);
  if (count < size()) {
    if (!torch::GradMode::is_enabled()) return f(input);
    throw Error(ErrorKind::kMatrix, "a batch of " + std::to_string(count) + " cannot be shared out over " +
                                        std::to_string(size()) + " ranks; take fewer ranks");
  }
  const auto to_all = [this, count](const torch::Tensor& own) { return all_rows(own, count); };
  const auto to_own = [this](const torch::Tensor& all) { return own_rows(all); };
  return differentiable(f(differentiable(input, to_own, to_all)), to_all, to_own);
}

torch::Tensor Ranks::of_all(const torch::Tensor& x) const {
  return differentiable(
      x, [this](const torch::Tensor& own) { return gathered(own.unsqueeze(0)); },
      [this](const torch::Tensor& gradients) {
        auto total = gradients.clone();
        sum_in_place(total);
        return total[place_.rank];
      });
}

torch::Tensor Ranks::used_by_all(const torch::Tensor& x) const {
  if (size() == 1) return x;
  return differentiable(
      x, [](const torch::Tensor& whole) { return whole.clone(); },
      [ranks = size()](const torch::Tensor& gradient) { return gradient / ranks; });
}

void Ranks::sum_in_place(torch::Tensor& x) const {
  if (size() == 1) return;
  std::vector<torch::Tensor> tensors{x.detach()};
  done([&] { network_of(x).allreduce(tensors)->wait(); });
}

torch::Tensor Ranks::gathered(const torch::Tensor& own) const {
  if (size() == 1) return own;
  auto shape = own.sizes().vec();
  shape[0] *= size();
  auto all = torch::empty(shape, own.options());
  std::vector<std::vector<torch::Tensor>> parts{all.split(own.size(0))};
  std::vector<torch::Tensor> mine{own.detach().contiguous()};
  done([&] { network_of(own).allgather(parts, mine)->wait(); });
  return all;
}

bool Ranks::any(bool own) const {
  if (size() == 1) return own;
  auto count = torch::full({1}, own ? 1.0F : 0.0F);
  sum_in_place(count);
  return count.item<float>() > 0;
}

std::string Ranks::from_first(const std::string& own) const {
  if (size() == 1) return own;
  auto length = torch::full({1}, static_cast<std::int64_t>(own.size()), torch::kLong);
  const auto send = [&](const torch::Tensor& tensor) {
    std::vector<torch::Tensor> tensors{tensor};
    done([&] { group_->gloo->broadcast(tensors)->wait(); });
  };
  send(length);
  auto bytes = torch::empty({length.item<std::int64_t>()}, torch::kByte);
  if (bytes.numel() == 0) return "";
  auto* data = bytes.data_ptr<std::uint8_t>();
  if (is_first()) std::copy(own.begin(), own.end(), data);
  send(bytes);
  return {data, data + bytes.numel()};
}

torch::Tensor Ranks::own_rows(const torch::Tensor& rows) const {
  const auto begin = [&](std::int64_t rank) { return rows.size(0) * rank / size(); };
  return rows.slice(0, begin(place_.rank), begin(place_.rank + 1)).contiguous();
}

torch::Tensor Ranks::all_rows(const torch::Tensor& own, std::int64_t count) const {
  const auto most = (count + size() - 1) / size();
  if (most * size() == count) return gathered(own);
  auto shape = own.sizes().vec();
  shape[0] = most;
  auto padded = torch::zeros(shape, own.options());
  padded.narrow(0, 0, own.size(0)).copy_(own.detach());
  std::vector<torch::Tensor> parts;
  for (const auto& part : gathered(padded).split(most)) {
    const auto rank = static_cast<std::int64_t>(parts.size());
    parts.push_back(part.narrow(0, 0, count * (rank + 1) / size() - count * rank / size()));
  }
  return torch::cat(parts);
}

void Ranks::done(const std::function<void()>& collective) const {
  try {
    collective();
  } catch (const std::exception& e) {
    give_up(message_of(e));
  }
}

/// Whoever has lost another says that it is there itself; who is silent is gone.
void Ranks::give_up(const std::string& why) const {
  group_->gloo.reset();  // ends the waiting of those that wait for this rank
  const auto key = [](const char* what, int rank) { return what + std::to_string(rank); };
  const auto deadline = Clock::now() + std::min(kRollCall, patience(place_));
  const auto hears = [&](const std::string& word) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    try {
      group_->store->wait({word}, std::max(left, std::chrono::milliseconds(200)));
      return true;
    } catch (const std::exception&) {
      return false;
    }
  };
  std::vector<int> there, gone;
  try {
    group_->store->set(key("there ", place_.rank), buffer_of("1"));
  } catch (const std::exception&) {  // rank 0, which listens, is gone: the roll call finds out
  }
  for (int rank = 0; rank < size(); ++rank) {
    if (rank == place_.rank) continue;
    (hears(key("there ", rank)) ? there : gone).push_back(rank);
    if (rank == 0 && !gone.empty()) break;  // with it, all others are out of reach
  }
  if (is_first()) {
    for (const int rank : there) hears(key("heard ", rank));  // they need this rank to hear of each other
  } else if (gone.empty() || gone.front() != 0) {
    try {
      group_->store->set(key("heard ", place_.rank), buffer_of("1"));
    } catch (const std::exception&) {
    }
  }
  std::string names;
  for (const int rank : gone) names += (names.empty() ? "rank " : ", rank ") + std::to_string(rank);
  throw RanksLost((gone.empty() ? "the ranks have lost each other" : names + " has ended or does not answer") + ": " +
                  why);
}

}  // namespace roclip::bench

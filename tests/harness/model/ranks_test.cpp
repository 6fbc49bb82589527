#include "harness/model/ranks.h"

#include <catch2/catch.hpp>

#include "harness/model/batch_norm.h"
#include "roclip/error.h"
#include "support/over_ranks.h"

using namespace roclip;
using namespace roclip::bench;

using Tensors = std::vector<torch::Tensor>;

namespace {

/// What one process makes is what each of several ranks makes.
void is_the_same_over_ranks(int size, const std::function<Tensors(const Ranks&)>& run) {
  const auto alone = run(Ranks::alone());
  REQUIRE(!alone.empty());
  const auto results = over_ranks<Tensors>(size, [&](const Ranks& ranks, int) { return run(ranks); });
  for (const auto& result : results) {
    INFO(result.error);
    REQUIRE(result.value.size() == alone.size());
    for (std::size_t i = 0; i < alone.size(); ++i) {
      CAPTURE(i);
      CHECK(result.value[i].allclose(alone[i], 1e-5, 1e-5));
    }
  }
}

}  // namespace

TEST_CASE("ranks gather rows in order, sum, and hear what the first has", "[ranks]") {
  const auto results = over_ranks<Tensors>(3, [](const Ranks& ranks, int rank) -> Tensors {
    const auto own = torch::full({2, 1}, rank, torch::kByte);
    auto sum = torch::full({2}, rank + 0.5);
    ranks.sum_in_place(sum);
    const auto word = ranks.from_first(rank == 0 ? "of the first" : "ignored");
    const auto nothing = ranks.from_first("");
    const bool heard = word == "of the first" && nothing.empty() && ranks.any(rank == 2) && !ranks.any(false);
    return {ranks.gathered(own), sum, torch::tensor(heard), ranks.own_rows(torch::arange(6))};
  });
  for (std::size_t rank = 0; rank < results.size(); ++rank) {
    INFO(results[rank].error);
    REQUIRE(results[rank].value.size() == 4);
    const auto& value = results[rank].value;
    CHECK(value[0].flatten().equal(torch::tensor({0, 0, 1, 1, 2, 2}, torch::kByte)));
    CHECK(value[1].equal(torch::full({2}, 4.5)));
    CHECK(value[2].item<bool>());
    const auto first = static_cast<std::int64_t>(2 * rank);
    CHECK(value[3].equal(torch::arange(first, first + 2)));
  }
}

TEST_CASE("what ranks share out is as it would be in one process, with its gradients, however many rows there are",
          "[ranks]") {
  for (const std::int64_t rows : {4, 7, 9}) {
    CAPTURE(rows);
    const auto input = torch::arange(rows * 2, torch::kFloat).view({rows, 2}) / 5;
    const auto factor = torch::tensor({0.5F, -1.0F}), scale = torch::tensor(1.5F);
    // A loss over all rows, with a weight inside that is shared out and one outside that every rank uses.
    const auto run = [&](const Ranks& ranks) -> Tensors {
      const auto x = input.clone().requires_grad_(), inside = factor.clone().requires_grad_(),
                 outside = scale.clone().requires_grad_();
      const auto f = [&](const torch::Tensor& part) { return torch::sin(part * inside); };
      const auto y = ranks.shared_out(f, x);
      const auto loss = (y.matmul(y.t()) * ranks.used_by_all(outside)).cos().sum();
      loss.backward();
      auto weight = inside.grad(), scalar = outside.grad();
      ranks.sum_in_place(weight);
      ranks.sum_in_place(scalar);
      return {y.detach(), x.grad(), weight, scalar};
    };
    is_the_same_over_ranks(4, run);
  }
}

TEST_CASE("fewer rows than ranks are computed by each where nothing is learned, and refused where it is", "[ranks]") {
  const auto twice = [](const torch::Tensor& rows) { return rows * 2; };
  const auto by_each = over_ranks<torch::Tensor>(2, [&](const Ranks& ranks, int) {
    const torch::NoGradGuard no_grad;
    return ranks.shared_out(twice, torch::ones({1, 3}));
  });
  for (const auto& result : by_each) CHECK(result.value.equal(torch::full({1, 3}, 2.0F)));
  const auto refused = over_ranks<torch::Tensor>(2, [&](const Ranks& ranks, int) {
    return ranks.shared_out(twice, torch::ones({1, 3}));
  });
  for (const auto& result : refused) {
    CHECK_THAT(result.error, Catch::Contains("a batch of 1 cannot be shared out over 2 ranks"));
  }
}

TEST_CASE("batch norm over ranks is that of one process: values, gradients and running statistics", "[ranks]") {
  torch::manual_seed(1);
  const auto input = torch::randn({6, 3, 2, 2}) * 2 + 5, direction = torch::randn({6, 3, 2, 2});
  const auto run = [&](const Ranks& ranks) -> Tensors {
    BatchNorm norm(3);
    norm->over(ranks);
    {
      const torch::NoGradGuard no_grad;
      norm->weight.copy_(torch::tensor({0.5F, 1.0F, 2.0F}));
    }
    const auto x = input.clone().requires_grad_();
    const auto f = [&](const torch::Tensor& part) { return norm(part); };
    const auto y = ranks.shared_out(f, x);
    (y * direction).sin().sum().backward();
    Tensors found{y.detach(), x.grad()};
    for (const auto& parameter : norm->parameters()) {
      auto gradient = parameter.grad();
      ranks.sum_in_place(gradient);
      found.push_back(gradient);
    }
    for (const auto& buffer : norm->buffers()) found.push_back(buffer.to(torch::kFloat));
    norm->eval();
    found.push_back(norm(input).detach());
    return found;
  };
  is_the_same_over_ranks(2, run);
}

TEST_CASE("a rank that ends is named by the others, and none waits for ever", "[ranks]") {
  for (const int leaver : {1, 3}) {
    const auto results = over_ranks<bool>(
        4,
        [&](const Ranks& ranks, int rank) {
          ranks.any(false);
          if (rank == leaver) throw Error(ErrorKind::kInternal, "leaves");
          for (int i = 0; i < 3; ++i) ranks.any(false);
          return true;
        },
        /*patience_s=*/3);
    for (int rank = 0; rank < 4; ++rank) {
      CAPTURE(rank, leaver);
      const auto expected =
          rank == leaver ? "leaves" : "rank " + std::to_string(leaver) + " has ended or does not answer";
      CHECK_THAT(results[static_cast<std::size_t>(rank)].error, Catch::StartsWith(expected));
    }
  }
}

TEST_CASE("ranks on the same GPU, or without the library, do without NCCL", "[ranks][gpu]") {
  const auto results = over_ranks<std::string>(2, [](const Ranks& ranks, int rank) {
    return ranks.use_nccl("/proc/self/exe", "0") + "; " + ranks.use_nccl("/nowhere", std::to_string(rank));
  });
  for (const auto& result : results) CHECK(result.value == "two ranks have the same GPU; this build has no NCCL");
}

TEST_CASE("without the first rank the others say so", "[ranks]") {
  const RankPlace place{.rank = 1, .size = 2, .port = free_port(), .patience_s = 1};
  CHECK_THROWS_WITH(Meeting(place), Catch::Contains("rank 0 cannot be reached at 127.0.0.1:"));
}

TEST_CASE("ranks are given their work by the first, each piece once", "[ranks]") {
  const int port = free_port();
  const RankPlace first{.rank = 0, .size = 2, .port = port, .patience_s = 30},
      second{.rank = 1, .size = 2, .port = port, .patience_s = 30};
  std::vector<std::string> heard;
  auto host = std::make_unique<Meeting>(first);
  host->announce(0, "one");
  std::thread worker([&] {
    Meeting meeting(second);
    std::int64_t last = -1;
    while (heard.size() < 2) {
      const auto [number, work] = meeting.await(last);
      heard.push_back(work + " " + std::to_string(number));
      last = number;
    }
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  host.reset();  // as when the worker of a cell ends
  host = std::make_unique<Meeting>(first);
  host->announce(1, "two\nlines");
  worker.join();
  CHECK(heard == std::vector<std::string>{"one 0", "two\nlines 1"});
}

TEST_CASE("ranks meet where torchrun listens", "[ranks]") {
  const RankPlace host{.rank = 0, .size = 2, .port = free_port(), .patience_s = 30};
  const Meeting torchrun(host);
  std::vector<std::string> sums(2);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      auto place = host;
      place.rank = rank;
      place.has_host = true;
      Meeting meeting(place);
      if (rank == 0) meeting.announce(7, "work");
      const auto work = rank == 0 ? 7 : meeting.await(-1).first;
      auto sum = torch::full({1}, rank + 1.0);
      Ranks(meeting, place, work).sum_in_place(sum);
      sums[static_cast<std::size_t>(rank)] = std::to_string(sum.item<double>());
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(sums == std::vector<std::string>(2, std::to_string(3.0)));
}

// How many float32 multiply-adds per second the processor does, at most: nothing but registers. Prints 10^9
// operations/s, the best of several passes; a multiply-add is two operations.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

#ifdef __AVX512F__
constexpr int kBytes = 64;
#elif defined(__AVX__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
typedef float Vector __attribute__((vector_size(kBytes)));

constexpr int kChains = 12;  // independent, so that none waits for another
constexpr long kSteps = 10'000'000;

void multiply_add() {
  Vector sums[kChains] = {}, factor = {}, term = {};
  volatile float start = 0.001f;  // which the compiler cannot know
  factor += 0.999f;
  term += start;
  for (Vector& sum : sums) sum += start;
  for (long step = 0; step < kSteps; ++step) {
    for (Vector& sum : sums) sum = sum * factor + term;
    asm volatile("" : : "r"(step));  // a loop in the order it is written
  }
  Vector total = {};
  for (const Vector& sum : sums) total += sum;
  volatile float sink = total[0];
  (void)sink;
}

double seconds(int threads) {
  const auto started = std::chrono::steady_clock::now();
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(multiply_add);
  multiply_add();
  for (auto& thread : others) thread.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

}  // namespace

int main(int, char** arguments) {
  const int threads = std::atoi(arguments[1]);
  double best = 1e30;
  for (int pass = 0; pass < 8; ++pass) {
    const double now = seconds(threads);
    if (now < best) best = now;
  }
  std::printf("%.1f\n", 2e-9 * kChains * kSteps * (kBytes / 4) * threads / best);
}
